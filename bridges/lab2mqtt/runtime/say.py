"""How the parts of one device publish, without knowing of topics or of a broker."""

from typing import Any, Protocol


class Say(Protocol):
    """Publishes a message on the device's topic of that kind."""

    def __call__(
        self, kind: str, message: dict[str, Any] | str | bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish an object, or one that has been encoded; bytes are a picture, of kind ``picture/<key>``."""
