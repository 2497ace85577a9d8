"""The manifest of an application: what it consists of, signed by who holds the key."""

from dataclasses import dataclass, replace
import hashlib
import hmac
import json
from pathlib import Path

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class File:
    """One file of an application.

    Attributes:
        name: Its path below the application's folder, ``parts/servo.mpy``.
        size: In bytes.
        sha256: Of its content, as 64 hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an application consists of.

    Attributes:
        node: For which node it was built.
        version: ``1.2.0``.
        files: All but the manifest itself.
        hmac: HMAC-SHA-256 over ``signed``, as hexadecimal digits; empty without a key.
    """

    node: str
    version: str
    files: tuple[File, ...]
    hmac: str = ""

    @classmethod
    def of(cls, folder: Path, node: str, version: str, key: str = "") -> "Manifest":
        """Make the manifest of a folder."""
        files = tuple(
            File(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path))
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        )
        bare = cls(node, version, files)
        return bare.sign(key) if key else bare

    @classmethod
    def read(cls, text: str) -> "Manifest":
        """Read a manifest.

        Raises:
            ValueError: It is something else.
        """
        try:
            told = json.loads(text)
            files = tuple(
                File(str(one["name"]), int(one["size"]), str(one["sha256"])) for one in told["files"]
            )
            return cls(str(told["node"]), str(told["version"]), files, str(told.get("hmac", "")))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"it is no manifest of an application: {error}") from error

    def sign(self, key: str) -> "Manifest":
        """The same with a signature."""
        return replace(self, hmac=hmac.new(key.encode(), self.signed(), hashlib.sha256).hexdigest())

    def signed(self) -> bytes:
        """What the signature covers: the same bytes on a board, whose JSON keeps no order."""
        lines = ["lab2mqtt application", self.node, self.version]
        lines += [f"{file.name} {file.size} {file.sha256}" for file in self.files]
        return "\n".join(lines).encode()

    def text(self) -> str:
        """As JSON, as it stands in the folder and is said on MQTT."""
        files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in self.files]
        told = {"node": self.node, "version": self.version, "files": files, "hmac": self.hmac}
        return json.dumps(told, separators=(",", ":"))


def sha256(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
