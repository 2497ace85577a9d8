"""A certificate authority for one test, by the ``openssl`` program, as docs/security.md tells people to."""

from pathlib import Path
import ssl
import subprocess

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]


class Authority:
    """A CA in a folder of its own, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key, self.certificate = folder / "ca.key", folder / "ca.crt"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        openssl(
            *("req", "-x509", *_KEY, "-keyout", str(self.key), "-out", str(self.certificate)),
            *("-days", "30", "-subj", f"/CN=CA {folder.name}", *usage),
        )

    def sign(self, name: str, *names: str, expired: bool = False) -> tuple[Path, Path]:
        """A certificate and its key: for a broker of these names, else for a client."""
        certificate, key, request = (self._folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
        told = [f"subjectAltName={','.join(names)}", "extendedKeyUsage=serverAuth"]
        told = told if names else ["extendedKeyUsage=clientAuth"]
        words = [word for one in ("basicConstraints=critical,CA:FALSE", *told) for word in ("-addext", one)]
        openssl(
            "req", "-new", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}", *words
        )
        openssl(
            *("x509", "-req", "-in", str(request), "-copy_extensions", "copy", "-out", str(certificate)),
            *("-CA", str(self.certificate), "-CAkey", str(self.key), "-days", "-1" if expired else "30"),
        )
        return certificate, key

    def context(self, client: str = "") -> ssl.SSLContext:
        """What a client needs that trusts this CA, and has a certificate of it."""
        made = ssl.create_default_context(cafile=str(self.certificate))
        if client:
            made.load_cert_chain(*self.sign(client))
        return made


def openssl(*words: str) -> None:
    """Run ``openssl``."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
