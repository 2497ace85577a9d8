"""A certificate as MicroPython wants it."""

from pathlib import Path
import ssl


def der(file: Path) -> bytes:
    """Read a certificate, PEM or DER, and give it as DER: not every port reads PEM.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds none.
    """
    content = file.read_bytes()
    if content.startswith(b"0"):  # a DER sequence
        return content
    return ssl.PEM_cert_to_DER_cert(content.decode("ascii").strip())
