"""What is told of the files of an encrypted link, before it is tried; the link itself: tests/broker."""

from pathlib import Path
import shutil
import ssl

import pytest
from tests.broker.certificates import Authority, openssl

from lab2mqtt.cli import main
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import tls
from lab2mqtt.runtime.config import load

GOOD = """\
bridge: b
devices: {}
broker:
  host: broker.lab
  tls: true
  ca_file: ca.crt
  cert_file: me.crt
  key_file: me.key
"""

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates by openssl")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA and certificates, made once."""
    folder = tmp_path_factory.mktemp("signed")
    authority = Authority(folder)
    authority.sign("me")
    authority.sign("you")
    key = str(folder / "me.key")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", str(folder / "closed.key"))
    both = (folder / "me.crt").read_text() + (folder / "me.key").read_text()
    (folder / "both.pem").write_text(both)
    (folder / "rubbish").write_text("no certificate\n")
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


def problems(folder: Path, text: str) -> list[str]:
    """What is told of a file."""
    file = folder / "lab.yaml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        load(file)
    return [line.removeprefix(f"{file}:").replace(str(folder), "…") for line in str(wrong.value).splitlines()]


def test_the_files_stand_beside_the_configuration(signed: Path) -> None:
    """Wherever the bridge is started."""
    (signed / "lab.yaml").write_text(GOOD)
    broker = load(signed / "lab.yaml").broker
    assert (broker.ca_file, broker.key_file) == (str(signed / "ca.crt"), str(signed / "me.key"))
    assert (broker.port, str(broker)) == (8883, "mqtts://broker.lab:8883")


def test_certificate_and_key_may_be_one_file(signed: Path) -> None:
    """As some authorities deliver it."""
    (signed / "lab.yaml").write_text(GOOD.replace("me.crt", "both.pem").replace("  key_file: me.key\n", ""))
    assert load(signed / "lab.yaml").broker.key_file is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ca.crt", "none", ["6: broker.ca_file '…/none': No such file or directory"]),
        ("ca.crt", "me.key", ["6: broker.ca_file '…/me.key' holds no certificate"]),
        ("ca.crt", "rubbish", ["6: broker.ca_file '…/rubbish' holds no certificate"]),
        ("ca.crt", ".", ["6: broker.ca_file '…': Is a directory"]),
        ("me.crt", "none", ["7: broker.cert_file '…/none': No such file or directory"]),
        ("me.crt", "rubbish", ["7: broker.cert_file '…/rubbish' holds no certificate"]),
        ("me.key", "none", ["8: broker.key_file '…/none': No such file or directory"]),
        ("me.key", "rubbish", ["8: broker.key_file '…/rubbish' holds no key"]),
        (
            "me.key",
            "you.key",
            ["8: broker.key_file '…/you.key' is not the key of the certificate '…/me.crt'"],
        ),
        ("me.key", "closed.key", ["8: broker.key_file '…/closed.key' is encrypted"]),
        ("  cert_file: me.crt\n", "", ["7: broker.key_file is of no use without cert_file"]),
        ("  key_file: me.key\n", "", ["7: broker.cert_file '…/me.crt' holds no key"]),
        (
            "tls: true",
            "tls: false",
            [
                f"{line}: broker.{key} is of no use without TLS"
                for line, key in enumerate(("ca_file", "cert_file", "key_file"), 6)
            ],
        ),
    ],
    ids=range(13),
)
def test_each_file_that_does_not_do_is_told_with_its_line(
    signed: Path, old: str, new: str, told: list[str]
) -> None:
    """At `lab2mqtt check`, not at the first attempt."""
    found = problems(signed, GOOD.replace(old, new))
    assert [line[: len(words)] for line, words in zip(found, told, strict=True)] == told


def test_nothing_switches_the_checks_off(signed: Path) -> None:
    """Neither the name nor the certificate of the broker goes unchecked."""
    made = tls.context(str(signed / "ca.crt"))
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("which", ["me.key", "secret"])
def test_a_secret_that_everybody_can_read_is_a_warning(
    signed: Path, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` says so with its line, and what to do."""
    (signed / "secret").write_text("sesame\n")
    (signed / "secret").chmod(0o600)
    file = signed / "lab.yaml"
    file.write_text(f"{GOOD}  username: ada\n  password_file: secret\n")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().err == ""
    (signed / which).chmod(0o644)
    assert main(["check", str(file)]) == 0
    said = capsys.readouterr().err
    (signed / which).chmod(0o600)
    assert said.startswith(f"warning: {file}:{8 if which == 'me.key' else 10}: broker.")
    assert f"chmod 600 {signed / which}" in said
