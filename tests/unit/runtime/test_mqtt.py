"""Where the broker is, and how patiently it is sought; the link itself is tested with real brokers."""

import itertools

import pytest

from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import LONGEST_PAUSE, _pauses

SECRET = "sesame-7f3a"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://broker.lab", Broker("broker.lab", 1883)),
        ("broker.lab", Broker("broker.lab", 1883)),
        ("broker.lab:18830", Broker("broker.lab", 18830)),
        ("mqtts://broker.lab", Broker("broker.lab", 8883, tls=True)),
        ("mqtts://broker.lab:443/", Broker("broker.lab", 443, tls=True)),
        ("mqtt://ada@10.0.0.2", Broker("10.0.0.2", 1883, "ada")),
        ("mqtt://ada:p%40ss@10.0.0.2:1", Broker("10.0.0.2", 1, "ada", "p@ss")),
        ("mqtt://a%20b@h", Broker("h", 1883, "a b")),
        ("mqtt://[::1]:1884", Broker("::1", 1884)),
    ],
)
def test_a_broker_is_told_as_an_address(url: str, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write it, with what is usual left out."""
    monkeypatch.delenv("LAB2MQTT_PASSWORD", raising=False)
    assert Broker.parse(url) == broker


@pytest.mark.parametrize(
    "broker",
    [
        Broker("broker.lab"),
        Broker("broker.lab", 8883, "ada", tls=True),
        Broker("::1", 1884),
    ],
)
def test_what_is_shown_can_be_told_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person copies the address out of the log."""
    monkeypatch.delenv("LAB2MQTT_PASSWORD", raising=False)
    assert Broker.parse(str(broker)) == broker


def test_a_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address stands in the history of a shell. Who has no name needs no password."""
    monkeypatch.setenv("LAB2MQTT_PASSWORD", SECRET)
    assert Broker.parse("mqtt://ada@h").password == SECRET
    assert Broker.parse("mqtt://ada:other@h").password == "other"  # noqa: S105
    assert Broker.parse("mqtt://h").password is None


def test_a_password_is_never_shown() -> None:
    """Not in a log, not in a traceback."""
    broker = Broker.parse(f"mqtt://ada:{SECRET}@h")
    assert broker.password == SECRET
    assert SECRET not in f"{broker} {broker!r}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mqtt://",
        "http://broker.lab",
        "mqtt://broker.lab/lab2mqtt",
        "mqtt://broker.lab:port",
        "mqtt://broker.lab:99999",
        "broker.lab:port",
        f"http://ada:{SECRET}@broker.lab",
        f"mqtt://ada:{SECRET}/@broker.lab",
        f"mqtt://ada:{SECRET}@broker.lab:port",
        f"mqtt://ada:{SECRET}@broker.lab/x",
    ],
)
def test_what_is_no_address_is_refused_with_an_example_and_without_the_password(url: str) -> None:
    """Also where the password itself is what made it none."""
    with pytest.raises(ValueError, match="is not mqtt://") as refused:
        Broker.parse(url)
    assert SECRET not in str(refused.value)


def test_attempts_come_soon_at_first_and_never_stop_coming() -> None:
    """A restarted broker is found within a second; one that is away for a night costs little."""
    pauses = list(itertools.islice(_pauses(), 200))
    assert all(0 < pause <= LONGEST_PAUSE for pause in pauses)
    assert pauses[0] <= 0.25
    assert sum(pauses[:3]) <= 0.25 + 0.5 + 1
    assert max(pauses[20:]) > LONGEST_PAUSE / 4


def test_bridges_do_not_knock_in_step() -> None:
    """A hundred of them lost the same broker at the same moment."""
    first = {next(_pauses()) for _ in range(50)}
    assert len(first) > 40
