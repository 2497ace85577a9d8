"""The configuration of a gateway: checked whole, and no token in it is ever repeated."""

from pathlib import Path

import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.gateway import settings
from lab2mqtt.gateway.rights import Person, needed_for

DIGEST = "0123456789abcdef" * 4
TWICE = f"sha256: {DIGEST}, devices: {{ot2: use}}"
TOKEN = "s3cret-token-of-somebody"  # noqa: S105 - of nobody
EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway.yaml"


def _load(folder: Path, text: str) -> settings.Gateway:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return settings.load(file)


def test_a_whole_file(tmp_path: Path) -> None:
    """Everything that may stand there."""
    found = _load(
        tmp_path,
        "broker: {host: broker.lab, port: 1884}\nbase: lab-7\n"
        "http: {host: 127.0.0.1, port: 8081, origins: ['https://lab.example']}\n"
        f"tokens:\n  anna: {{sha256: {DIGEST.upper()}, devices: {{ot2: use, '*': read}}}}\n",
    )
    assert str(found.broker) == "mqtt://broker.lab:1884"
    assert (found.base, found.url) == ("lab-7", "http://127.0.0.1:8081")
    assert found.people == (Person("anna", {"ot2": "use", "*": "read"}, DIGEST),)
    assert found.warnings == ()


def test_the_example(tmp_path: Path) -> None:
    """As it is, and with all of its comments."""
    assert settings.load(EXAMPLE).http.port == 8080
    text = EXAMPLE.read_text().replace("# tokens:", "tokens:")
    for line in ("  anna:", "    sha256:", "    devices:"):
        text = text.replace(f"# {line}", f" {line}")
    found = _load(
        tmp_path, text.replace("64 hexadecimal digits, out of which nobody can make the token", DIGEST)
    )
    assert found.people[0].right_to("ot2") == "use"
    assert found.people[0].right_to("fan") == "read"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http: {port: 0}", "http.port 0 is out of range: a whole number, 1 to 65535"),
        ("http: {prot: 80}", "http has no 'prot' (did you mean 'port'?)"),
        ("htpp: {port: 80}", "the file has no 'htpp' (did you mean 'http'?)"),
        ("base: a/#", "base 'a/#' is not a topic"),
        ("http: {host: 0.0.0.0}", "http.host '0.0.0.0' is more than this machine, and there are no tokens"),
        ("http: {key: x}", "http.key: without http.certificate nothing is encrypted"),
        ("http: {certificate: missing.crt}", "http.certificate "),
        ("http: {origins: ['lab.example/x']}", "is not the beginning of an address"),
        ("http: {origins: ['https://lab.example']}", "http.origins needs tokens"),
        ("broker: {password: s3cret-token-of-somebody}", "a password does not belong in this file"),
        ("tokens: [a]", 'tokens ["a"] is not an object'),
        ("tokens: {anna: s3cret-token-of-somebody}", "tokens.anna is not a set of keys with values"),
        (
            "tokens: {anna: {token: s3cret-token-of-somebody, devices: {ot2: use}}}",
            "tokens.anna.token: a token",
        ),
        ("tokens: {anna: {sha256: s3cret-token-of-somebody, devices: {ot2: use}}}", "64 hexadecimal digits"),
        (f"tokens: {{anna: {{sha256: {DIGEST}}}}}", "tokens.anna.devices is missing"),
        (f"tokens: {{anna: {{sha256: {DIGEST}, devices: {{}}}}}}", "tokens.anna.devices names none"),
        (f"tokens: {{anna: {{sha256: {DIGEST}, devices: {{OT2: use}}}}}}", "a device id has a-z"),
        (
            f"tokens: {{anna: {{sha256: {DIGEST}, devices: {{ot2: us}}}}}}",
            "tokens.anna.devices.ot2 'us' is not one of read, use (did you mean 'use'?)",
        ),
        (
            f"tokens: {{a: {{{TWICE}}}, b: {{{TWICE}}}}}",
            "tokens.b.sha256 is that of a, too",
        ),
        (f"tokens: {{anna: {{sha256: {DIGEST}, rights: {{ot2: use}}}}}}", "tokens.anna has no 'rights'"),
    ],
)
def test_what_is_wrong_is_told_and_no_token_repeated(tmp_path: Path, text: str, told: str) -> None:
    """With file and line."""
    with pytest.raises(Misconfigured) as raised:
        _load(tmp_path, f"{text}\n")
    assert told in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'gateway.yaml'}:1: ")
    assert TOKEN not in str(raised.value)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """In the order of the lines."""
    with pytest.raises(Misconfigured) as raised:
        _load(tmp_path, "base: a/#\nhttp: {port: 0}\ntokens:\n  anna: {sha256: x, devices: {'*': all}}\n")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["1", "2", "4", "4"]


def test_what_should_not_be_so_is_a_warning(tmp_path: Path) -> None:
    """No tokens on this machine; tokens on the network without https."""
    assert "whoever is on this machine" in _load(tmp_path, "http: {port: 80}\n").warnings[0]
    told = f"http: {{host: 0.0.0.0}}\ntokens: {{anna: {{sha256: {DIGEST}, devices: {{ot2: use}}}}}}\n"
    assert "readable on the network" in _load(tmp_path, told).warnings[0]


def test_rights() -> None:
    """A device's own line goes before that of all; to use is to read, too."""
    person = Person("anna", {"ot2": "use", "fan": "read", "*": "read"})
    assert person.may("read", "ot2")
    assert person.may("use", "ot2")
    assert not person.may("use", "fan")
    assert person.may("read", "new")
    assert not person.may("use", "*")
    assert not Person("bob", {"ot2": "use"}).may("read", "fan")
    assert Person("bob", {"ot2": "use"}).seen_of(["fan", "ot2"]) == ["ot2"]
    lowered = Person("carl", {"ot2": "read", "*": "use"})
    assert not lowered.may("use", "ot2")


@pytest.mark.parametrize(
    ("task", "effect", "right"),
    [
        ("get_position", "read", "read"),
        ("home", "move", "use"),
        ("set_speed", "set", "use"),
        ("cancel", "stop", "use"),
        ("emergency_stop", "stop", None),
        ("halt", "stop", None),
        ("halt", "move", "use"),  # a name alone stops nothing
        ("unknown", None, "use"),
    ],
)
def test_the_right_that_a_task_needs(task: str, effect: str | None, right: str | None) -> None:
    """By its effect."""
    assert needed_for(task, {"effect": effect} if effect else {}) == right
