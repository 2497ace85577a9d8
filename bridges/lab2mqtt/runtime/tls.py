"""The encrypted link: whom we trust, who we are, and why it does not come about.

The certificate and the name of the broker are always checked; nothing here switches that off.
"""

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from lab2mqtt.runtime.address import Broker

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_…).
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNKNOWN_ISSUER = (18, 19, 20, 21)
_OTHER_NAME = (62, 64)
_NOT_FOR_SERVERS = 26

# What the broker says of us in a TLS alert, as OpenSSL names it.
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the broker wants a client certificate: {give_certificate}",
    "HANDSHAKE_FAILURE": "the broker refuses us; it may want a client certificate: {give_certificate}",
    "UNKNOWN_CA": "our client certificate is of a CA that the broker does not know (its cafile)",
    "CERTIFICATE_EXPIRED": "our client certificate has expired, says the broker: sign a new one",
    "CERTIFICATE_REVOKED": "our client certificate has been revoked, says the broker: sign a new one",
    "CERTIFICATE_UNKNOWN": "the broker does not take our client certificate",
    "BAD_CERTIFICATE": "the broker does not take our client certificate",
    "UNSUPPORTED_CERTIFICATE": "the broker does not take our client certificate: it is not made for clients",
    "PROTOCOL_VERSION": "the broker speaks no TLS that is safe: it must be 1.2 or newer",
}
_GIVE_CERTIFICATE = "give cert_file and key_file (--cert and --key)"

# MQTT's reasons, as numbers that paho gives for 3.1.1 and 5 alike.
_BAD_PASSWORD = 134
_NOT_AUTHORISED = 135


class Encrypted(ssl.SSLSocket):
    """A socket that remembers why it broke: paho writes that to its log, and passes on only that it did."""

    broken: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive, as every socket does."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.broken = error
            raise

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send, as every socket does."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            # A broker that refuses our certificate says why, and has closed before it has read anything.
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


def context(
    ca_file: str | None = None, cert_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """What a link is made with. The files are read now, so that a renewed one needs no restart.

    Args:
        ca_file: Certificates to trust; the system's where there is none.
        cert_file: Our own certificate, for a broker that wants one.
        key_file: Its key, where that is not in ``cert_file``.

    Raises:
        OSError: One of them cannot be read, or is not what it should be.
    """
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the system's OpenSSL is told
    made.sslsocket_class = Encrypted
    if cert_file:
        # Without an answer of ours OpenSSL would ask at the terminal for the password of a key.
        made.load_cert_chain(cert_file, key_file, password=lambda: "")
    return made


def problems(
    *, encrypted: bool, ca_file: str | None, cert_file: str | None, key_file: str | None
) -> dict[str, str]:
    """What is wrong with the files of a link: the name of the file's key → a text, without that name."""
    files = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    if not encrypted:
        return {key: "is of no use without TLS" for key, file in files.items() if file}
    found: dict[str, str] = {}
    for key, file in files.items():
        if file:
            try:
                with open(file, "rb") as opened:  # noqa: PTH123 - a path as it was typed
                    opened.read(1)
            except OSError as error:
                found[key] = f"{file!r}: {error.strerror}"
    if ca_file and "ca_file" not in found:
        try:
            context(ca_file)
        except ssl.SSLError:
            found["ca_file"] = f"{ca_file!r} holds no certificate (PEM, -----BEGIN CERTIFICATE-----)"
    if key_file and not cert_file:
        found["key_file"] = "is of no use without cert_file"
    elif cert_file and not {"cert_file", "key_file"} & set(found):
        found |= _own(cert_file, key_file)
    return found


def _own(cert_file: str, key_file: str | None) -> dict[str, str]:
    """What is wrong with our own certificate and its key."""
    try:
        ssl.create_default_context(cafile=cert_file)
    except ssl.SSLError:
        return {"cert_file": f"{cert_file!r} holds no certificate (PEM, -----BEGIN CERTIFICATE-----)"}
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        return ""

    try:
        ssl.create_default_context().load_cert_chain(cert_file, key_file, password=password)
    except (ssl.SSLError, ValueError) as error:
        key, file = ("key_file", key_file) if key_file else ("cert_file", cert_file)
        if asked:
            return {key: f"{file!r} is encrypted; `openssl pkey -in … -out …` decrypts it"}
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            return {key: f"{file!r} is not the key of the certificate {cert_file!r}"}
        return {key: f"{file!r} holds no key (PEM, -----BEGIN PRIVATE KEY-----)"}
    return {}


def in_words(error: BaseException | None, broker: Broker) -> str:
    """Why there is no link, so that a person can do something about it.

    Args:
        error: What the attempt ended with.
        broker: Whom we wanted.
    """
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_its_certificate(error, broker)
    for alert, words in _ALERTS.items():
        if isinstance(error, ssl.SSLError) and reason.endswith(f"ALERT_{alert}"):
            return words.format(give_certificate=_GIVE_CERTIFICATE)
    if broker.tls and (
        isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError | TimeoutError)
        or reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE")
    ):
        return f"port {broker.port} does not answer in TLS; a broker has it on a port of its own, mostly 8883"
    if isinstance(error, socket.gaierror):
        return f"the name {broker.host!r} is not known here: {error.strerror}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror
    return str(error)


def _of_its_certificate(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    code = error.verify_code
    if code in _OTHER_NAME:
        return (
            f"the broker's certificate is not for {broker.host!r}: call it by a name that stands in the"
            f" certificate, or sign one for this name (subjectAltName)"
        )
    if code in _UNKNOWN_ISSUER:
        trusted = f"{broker.ca_file!r} holds has" if broker.ca_file else "this system trusts has"
        return (
            f"the broker's certificate is of a CA that is not known here: none that {trusted} signed it;"
            f" give the file of the right CA (ca_file, --ca)"
        )
    if code == _EXPIRED:
        return "the broker's certificate, or that of its CA, has expired (or this clock is wrong)"
    if code == _NOT_YET_VALID:
        return "the broker's certificate is not valid yet; is this machine's clock right?"
    if code == _NOT_FOR_SERVERS:
        return "the broker's certificate is not made for servers (extendedKeyUsage)"
    return f"the broker's certificate does not hold: {error.verify_message}"


def closed(error: BaseException | None, broker: Broker, *, greeted: bool) -> str:
    """Why the broker closed a link.

    Args:
        error: What the socket met, if anything.
        broker: Whose link it was.
        greeted: Whether it had taken us.
    """
    if error:
        return in_words(error, broker)
    if greeted:
        return "the broker closed the connection"
    if broker.tls and not broker.cert_file:
        return f"the broker closed the connection; it may want a client certificate: {_GIVE_CERTIFICATE}"
    if broker.tls:
        return "the broker closed the connection"
    return "the broker closed the connection; if that port speaks TLS, say so (tls: true, mqtts://)"


def refused(code: int, broker: Broker) -> str | None:
    """What the broker's refusal means, by its number; None where its own words do."""
    if code not in (_BAD_PASSWORD, _NOT_AUTHORISED):
        return None
    if not broker.username:
        return "the broker takes nobody without a name and a password: give username and password_file"
    if broker.password is None:
        return f"the broker does not take {broker.username!r} without a password"
    return (
        f"the broker does not take {broker.username!r}: the password is wrong, or it does not know that name"
    )
