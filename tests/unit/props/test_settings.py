"""What the command line and the environment tell the worker host, and which of them wins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab2mqtt.cli import _parser
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.props.settings import PropsSettings, Selection, settings_of
from lab2mqtt.runtime import running_demo

Told = Callable[..., PropsSettings]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Settings of a command line, and of an environment that holds nothing else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def read(*words: str, **environment: str) -> PropsSettings:
        return settings_of(_parser().parse_args(["props", *words]), environment)

    return read


def test_nothing_told_is_what_is_usual(told: Told, tmp_path: Path) -> None:
    """The usual is what the original has, and a broker on this machine."""
    found = told()
    assert (found.root, found.builtin_folder) == (Path("props"), None)
    assert str(found.broker) == "mqtt://127.0.0.1:1883"
    assert (found.client_id, found.prefix) == ("worker_host", "halloween")
    assert (found.base, found.discovery) == ("lab2mqtt", "homeassistant")
    assert found.stop_topic == "lab2mqtt/emergency_stop"
    assert (found.watch, found.debug, found.stop_actions) == (False, False, ())
    assert found.state == tmp_path / "lab2mqtt" / "worker_host"
    assert found.builtins == found.props == Selection()


def test_a_user_without_a_password_is_not_sent_unless_he_was_named(told: Told) -> None:
    """The original's user is ``worker``; a broker that takes anybody may not know that name."""
    assert told().broker.username is None
    only_named = told(MQTT_WORKER_USER="ghost").broker
    assert (only_named.username, only_named.password) == ("ghost", None)
    only_password = told(MQTT_WORKER_PW="boo").broker
    assert (only_password.username, only_password.password) == ("worker", "boo")


def test_a_password_may_stand_in_a_file(told: Told, tmp_path: Path) -> None:
    """As the secrets of containers do; what is wrong with it is told, and nothing of what stands there."""
    file = tmp_path / "password"
    file.write_text("boo\n")
    found = told(MQTT_WORKER_PW_FILE=str(file)).broker
    assert (found.username, found.password) == ("worker", "boo")
    with pytest.raises(Misconfigured, match="both set"):
        told(MQTT_WORKER_PW_FILE=str(file), MQTT_WORKER_PW="boo")
    for text, words in ((b"", "one line"), (b"boo\nboo\n", "one line"), (b"\xff", "UTF-8")):
        file.write_bytes(text)
        with pytest.raises(Misconfigured, match=words) as error:
            told(MQTT_WORKER_PW_FILE=str(file))
        assert "boo" not in str(error.value)
    with pytest.raises(Misconfigured, match="MQTT_WORKER_PW_FILE 'nowhere': No such file"):
        told(MQTT_WORKER_PW_FILE="nowhere")


def test_the_environment_of_the_original_does(told: Told) -> None:
    """A compose file that people have works as it is."""
    found = told(
        MQTT_HOST="broker",
        MQTT_PORT="1884",
        MQTT_WORKER_USER="ghost",
        MQTT_WORKER_PW="boo",
        MQTT_CLIENT_ID="crypt",
        WORKER_DEBUG="1",
    )
    assert (found.broker.host, found.broker.port) == ("broker", 1884)
    assert (found.broker.username, found.broker.password) == ("ghost", "boo")
    assert (found.client_id, found.debug) == ("crypt", True)
    assert found.state is not None
    assert found.state.name == "crypt"


def test_the_command_line_goes_before_the_environment(told: Told) -> None:
    """Each address goes before the next, and an id typed before one set."""
    all_of_them = {"LAB2MQTT_BROKER": "mqtt://second:2", "MQTT_HOST": "third", "MQTT_CLIENT_ID": "set"}
    assert told("--broker", "mqtt://first:1", **all_of_them).broker.host == "first"
    assert told(**all_of_them).broker.host == "second"
    assert told(MQTT_HOST="third").broker.host == "third"
    assert told("--client-id", "typed", **all_of_them).client_id == "typed"


def test_a_demo_that_runs_here_is_found_as_by_every_command(told: Told) -> None:
    """Unless somebody says where else."""
    with running_demo.tell("mqtt://127.0.0.1:18830", {}):
        assert told().broker.port == 18830
        assert told(MQTT_PORT="1885").broker.port == 1885


@pytest.mark.parametrize(
    ("address", "environment", "who"),
    [
        ("mqtt://host", {"MQTT_WORKER_USER": "ghost", "MQTT_WORKER_PW": "boo"}, ("ghost", "boo")),
        ("mqtt://ghost@host", {"MQTT_WORKER_USER": "ghost", "MQTT_WORKER_PW": "boo"}, ("ghost", "boo")),
        ("mqtt://worker@host", {"MQTT_WORKER_PW": "boo"}, ("worker", "boo")),
        ("mqtt://ghost:own@host", {"MQTT_WORKER_USER": "ghost", "MQTT_WORKER_PW": "boo"}, ("ghost", "own")),
        ("mqtt://ada@host", {"MQTT_WORKER_USER": "ghost", "MQTT_WORKER_PW": "boo"}, ("ada", None)),
        ("mqtt://ada@host", {"LAB2MQTT_PASSWORD": "hers", "MQTT_WORKER_PW": "boo"}, ("ada", "hers")),
        ("mqtt://host", {"MQTT_WORKER_USER": "ghost", "LAB2MQTT_PASSWORD": "hers"}, ("ghost", "hers")),
        ("mqtt://host", {"LAB2MQTT_PASSWORD": "hers"}, (None, None)),
    ],
)
def test_a_password_goes_with_its_own_user_alone(
    told: Told, address: str, environment: dict[str, str], who: tuple[str | None, str | None]
) -> None:
    """One user's password is never sent for another."""
    broker = told("--broker", address, **environment).broker
    assert (broker.username, broker.password) == who


def test_files_of_the_encrypted_link_are_those_of_every_command(told: Told, tmp_path: Path) -> None:
    """They are looked at before anything is started."""
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(Misconfigured, match=r"--ca .*No such file"):
        told("--broker", "mqtts://host", LAB2MQTT_CA=missing)
    with pytest.raises(Misconfigured, match="--ca is of no use without TLS: mqtt://host:1883 is not enc"):
        told("--ca", missing, MQTT_HOST="host")


@pytest.mark.parametrize(
    ("variables", "takes"),
    [
        ({}, {"a", "b", "c"}),
        ({"DISABLE": "a, b"}, {"c"}),
        ({"ALLOW": "a ,,b"}, {"a", "b"}),
        ({"ALLOW": "a,b", "DISABLE": "a"}, {"a", "b"}),
        ({"DISABLE_ALL": "1", "ALLOW": "a,b"}, set()),
        ({"DISABLE_ALL": "True"}, set()),
        ({"DISABLE_ALL": "0", "ALLOW": "a"}, {"a"}),
        ({"DISABLE_ALL": "", "ALLOW": "", "DISABLE": ""}, {"a", "b", "c"}),
    ],
)
@pytest.mark.parametrize("kind", ["BUILTINS", "PROPS"])
def test_disable_all_goes_before_allow_and_that_before_disable(
    told: Told, kind: str, variables: dict[str, str], takes: set[str]
) -> None:
    """The precedence of the original; an empty variable counts as none, and the other kind is untouched."""
    names = {"DISABLE_ALL": f"WORKER_DISABLE_ALL_{kind}"}
    environment = {names.get(key, f"WORKER_{kind}_{key}"): value for key, value in variables.items()}
    found = told(**environment)
    selection, other = (found.builtins, found.props) if kind == "BUILTINS" else (found.props, found.builtins)
    assert {name for name in "abc" if selection.takes(name)} == takes
    assert other == Selection()


@pytest.mark.parametrize(
    ("words", "environment", "text"),
    [
        ((), {"MQTT_PORT": "http"}, "MQTT_PORT 'http' is not a port, a number from 1 to 65535"),
        ((), {"MQTT_PORT": "70000"}, "MQTT_PORT '70000' is not a port"),
        ((), {"MQTT_PORT": "²"}, "MQTT_PORT '²' is not a port"),
        ((), {"MQTT_HOST": "broker:1884"}, "MQTT_HOST 'broker:1884' is not a name or an address alone"),
        ((), {"MQTT_HOST": "mqtts://broker"}, "LAB2MQTT_BROKER takes mqtt://"),
        ((), {"WORKER_DEBUG": "maybe"}, "WORKER_DEBUG 'maybe' is not one of 1, true"),
        ((), {"WORKER_DISABLE_ALL_PROPS": "all"}, "WORKER_DISABLE_ALL_PROPS 'all' is not one of 1, true"),
        (("--prefix", "a/#"), {}, "--prefix 'a/#' is not a topic without wildcards"),
        (("--base", "/a"), {}, "--base '/a' is not a topic"),
        (("--discovery", "a//b"), {}, "--discovery 'a//b' is not a topic"),
        (("--prefix", "lab2mqtt/x"), {}, "'lab2mqtt/x' and --base 'lab2mqtt' lie in each other"),
        (("--stop-action", "two words"), {}, "--stop-action 'two words' is not one word"),
        (("--broker", "http://x"), {}, "broker 'http://x' is not mqtt://"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    told: Told, words: tuple[str, ...], environment: dict[str, str], text: str
) -> None:
    """The variable or the option, its value, and what would be right."""
    with pytest.raises(Misconfigured) as error:
        told(*words, **environment)
    assert text in str(error.value)


def test_a_password_in_the_wrong_variable_is_not_repeated(told: Told) -> None:
    """It would stand in a log."""
    with pytest.raises(Misconfigured, match="MQTT_HOST is not a name") as error:
        told(MQTT_HOST="mqtt://ghost:boo@broker")
    assert "boo" not in str(error.value)


def test_an_address_of_version_6_is_one(told: Told) -> None:
    """Its colons are not those of a port."""
    broker = told(MQTT_HOST="::1", MQTT_PORT="1884").broker
    assert (broker.host, broker.port) == ("::1", 1884)


def test_every_option_arrives(told: Told, tmp_path: Path) -> None:
    """What is typed is what is used."""
    folder = str(tmp_path)
    found = told(
        *("--root", folder, "--builtins", folder, "--state", folder, "--watch", "--debug"),
        *("--prefix", "crypt", "--base", "lab", "--discovery", "ha"),
        *("--stop-action", "fade", "--stop-action", "tesla/lock"),
    )
    assert found.root == found.builtin_folder == found.state == tmp_path
    assert (found.watch, found.debug) == (True, True)
    assert (found.prefix, found.base, found.discovery) == ("crypt", "lab", "ha")
    assert found.stop_actions == ("fade", "tesla_lock")


def test_options_of_other_commands_are_none_of_it(told: Told) -> None:
    """A configuration file and answers in JSON make no sense here."""
    for words in (("--config", "lab.yaml"), ("--json",)):
        with pytest.raises(SystemExit):
            told(*words)


def test_the_state_of_two_hosts_is_kept_apart_whatever_they_are_called(told: Told) -> None:
    """A client id may hold anything, and is no path."""
    states = {told("--client-id", name).state for name in ("../a", "b/c", "b c")}
    parents = {state.parent.name for state in states if state}
    assert parents == {"lab2mqtt"}
