"""Where a broker is, and who we are to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import os
import re
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Broker:
    """Where the broker is and who we are to it.

    Attributes:
        host: Its name or address; with TLS one that stands in its certificate.
        port: Its port.
        username: Who we are to it.
        password: What proves that.
        tls: Whether the link is encrypted.
        ca_file: Certificates to trust, where the system's do not do.
        cert_file: Our own certificate, for a broker that wants one.
        key_file: Its key, where that is not in ``cert_file``.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        for name in ("username", "password"):
            try:
                (getattr(self, name) or "").encode()
            except UnicodeEncodeError:  # from an environment in another encoding
                raise ValueError(f"the {name} of the broker is not UTF-8 text") from None

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str] = os.environ) -> "Broker":
        """Read ``mqtt://user:password@host:port`` or ``mqtts://…``.

        A password may come from the environment instead, as LAB2MQTT_PASSWORD, and with ``mqtts://`` the
        files of the link as LAB2MQTT_CA, LAB2MQTT_CERT and LAB2MQTT_KEY.

        Raises:
            ValueError: It is no such address.
        """
        # A password may be what is wrong, also where the rest was forgotten: `mqtt://ada:secret`.
        shown = f"…@{url.rpartition('@')[2]}" if "@" in url else re.sub(r"(?s):(?!\d*/?\Z|//).*", ":…", url)
        wrong = f"broker {shown!r} is not mqtt://[user@]host[:port] or mqtts://…"
        try:
            parts = urlsplit(url if "://" in url else f"mqtt://{url}")
            port = parts.port
        except ValueError:
            raise ValueError(wrong) from None  # or the password would stand in the traceback
        if (
            parts.scheme not in ("mqtt", "mqtts")
            or not parts.hostname
            or parts.path.strip("/")
            or parts[3]
            or parts[4]
        ):
            raise ValueError(wrong)
        encrypted = parts.scheme == "mqtts"
        password = unquote(parts.password) if parts.password else environment.get("LAB2MQTT_PASSWORD")
        username = unquote(parts.username) if parts.username else None
        port = port or (8883 if encrypted else 1883)
        names = ("ca", "cert", "key")
        files = {f"{name}_file": environment.get(f"LAB2MQTT_{name.upper()}") for name in names}
        return cls(
            parts.hostname,
            port,
            username,
            password if username else None,
            encrypted,
            **(files if encrypted else {}),
        )

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{user}{host}:{self.port}"
