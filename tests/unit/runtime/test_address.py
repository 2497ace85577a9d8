"""An address, a password in it, and what is never repeated of it."""

from pathlib import Path
from urllib.parse import quote

from hypothesis import assume, given, strategies as st
import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.config import load

# Distinctive, so that finding it is no accident; odd in between.
ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda odd: f"sesame{odd}7f3a")


@given(ODD)
def test_any_password_in_an_address_arrives_and_is_not_shown(password: str) -> None:
    """Quoted as addresses want it."""
    broker = Broker.parse(f"mqtts://ada:{quote(password, safe='')}@broker.lab")
    assert broker.password == password
    assert password not in f"{broker} {broker!r}"


@given(ODD)
def test_a_password_that_was_not_quoted_is_never_repeated(password: str) -> None:
    """Whatever is made of the address: a broker of another name would be told in the log."""
    assume(not password.isascii() or any(letter in password for letter in "@:/?#[]\\%"))
    forgotten = "@broker.lab" if "@" in password else ""  # what follows an @ is a host to everybody
    for url in (f"mqtt://ada:{password}@broker.lab", f"mqtt://ada:{password}{forgotten}"):
        try:
            told = str(Broker.parse(url))
        except ValueError as error:
            told = str(error)
        assert "sesame" not in told
        assert "7f3a" not in told


@pytest.mark.parametrize("url", ["mqtt://ada:12#x@h", "mqtt://ada:12?x@h", "mqtt://h#x", "mqtt://h?x"])
def test_what_stands_behind_the_address_is_refused(url: str) -> None:
    """Else ``ada`` were the broker, and half of the password its port."""
    with pytest.raises(ValueError, match="is not mqtt://"):
        Broker.parse(url)


def test_the_files_of_the_link_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lab2mqtt stop` must be short; without TLS they are of no use."""
    monkeypatch.setenv("LAB2MQTT_CA", "/etc/lab/ca.crt")
    monkeypatch.setenv("LAB2MQTT_CERT", "/etc/lab/ada.crt")
    monkeypatch.setenv("LAB2MQTT_KEY", "/etc/lab/ada.key")
    broker = Broker.parse("mqtts://h")
    files = (broker.ca_file, broker.cert_file, broker.key_file)
    assert files == ("/etc/lab/ca.crt", "/etc/lab/ada.crt", "/etc/lab/ada.key")
    assert Broker.parse("mqtt://h").ca_file is None


def test_a_password_in_another_encoding_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the environment gives it where the terminal is no UTF-8."""
    monkeypatch.setenv("LAB2MQTT_PASSWORD", "sesame\udcfc")
    with pytest.raises(ValueError, match="the password of the broker is not UTF-8 text") as wrong:
        Broker.parse("mqtt://ada@h")
    assert "sesame" not in str(wrong.value)


@pytest.mark.parametrize(
    "broker",
    [
        "mqtt://ada:sesame-7f3a@h",
        "{password: sesame-7f3a}",
        "{password: [sesame-7f3a]}",
        "{passwrod: sesame-7f3a}",
        "{host: 'mqtt://ada:sesame-7f3a@h'}",
        "{host: 'ada:sesame-7f3a@h', username: ada}",
        "[ada, sesame-7f3a]",
        "{username: ada, password_env: sesame-7f3a}",
        "{username: ada, password: sesame-7f3a, password: sesame-7f3a}",
        "{username: ada, password: 'sesame-7f3a}",
    ],
)
def test_a_password_where_it_does_not_belong_is_not_repeated(tmp_path: Path, broker: str) -> None:
    """What is told of a file stands in logs."""
    file = tmp_path / "lab.yaml"
    file.write_text(f"bridge: b\nbroker: {broker}\ndevices: {{}}\n")
    with pytest.raises(Misconfigured) as wrong:
        load(file)
    assert "sesame" not in str(wrong.value)
