"""The actions of a worker, and how what people send becomes arguments."""

from __future__ import annotations

import functools
import inspect
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.parameters import Choices, Range, Schema, Text, Unit
from lab2mqtt.props.actions import Action, action, actions_of, effect_of, in_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as workers have them."""

    @functools.wraps(function)
    def done(*args: object, **named: object) -> object:
        return function(*args, **named)

    return done


class Base:
    """What several props share."""

    async def do_ping(self, arg: str | None) -> None:
        """Answer.

        This is told to nobody.

        Args:
            arg: What to say.
        """

    @action(effect="stop", timeout=5, name="All quiet", icon="mdi:sleep")
    def do_rest(self) -> None:
        """Come to rest."""

    def do_command(self, action: str, arg: str | None) -> None:
        """Take what nothing else takes."""

    def do_gone(self) -> None:
        """A subclass has this no more."""


class Worker(Base):
    """A prop, with a handler of each kind."""

    do_gone = None  # type: ignore[assignment]

    def do_rest(self) -> None:
        """Come to rest otherwise."""

    def do_old(self, arg):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """One without hints."""

    def do_default(self, arg: str = None) -> None:  # type: ignore[assignment] # noqa: RUF013
        """One with a hint of old."""

    def do_fire(self, ms: Annotated[int, Range(1, 2000), Unit("ms")] = 500) -> str:
        """Fire for a time.

        Args:
            ms: How long.

        Returns:
            What was fired.
        """
        return str(ms)

    def do_turn(self, angle: float) -> None:
        """Turn."""

    def do_mute(self, on: bool) -> None:  # noqa: FBT001
        """Be quiet."""

    def do_set_mode(self, mode: Literal["idle", "armed"]) -> None:
        """Set the mode."""

    def do_set_level(self, level: Literal[1, 2, 3]) -> None:
        """Set the level."""

    def do_say(self, text: str) -> None:
        """Say."""

    def do_name(self, name: Annotated[str, Text(8)] | None = None) -> None:
        """Name."""

    def do_wait(self, seconds: float | None) -> None:
        """Wait; None is for ever."""

    async def do_play_music(self, volume: Annotated[int, Range(0, 30)], track: str = "scream") -> None:
        """Play."""

    def do_configure(self, config: dict[str, Any]) -> None:
        """Configure."""

    def do_tell(self, targets: list[str]) -> None:
        """Tell some."""

    def do_steps(self, steps: list[int]) -> None:
        """Go."""

    def do_light(self, scene: Annotated[str, Choices(("red", "blue"))], options: dict[str, Any]) -> None:
        """Light."""

    def do_anything(self, what: Any) -> None:  # noqa: ANN401
        """Take anything."""

    @action
    def do_trigger(self) -> None:
        """Trigger."""

    @action(effect="stop", entity=False)
    def do_calm(self, within: Annotated[float, Range(0, 5)] = 1.0) -> None:
        """Calm down."""

    def do_emergency_stop(self) -> None:
        """Stop."""

    def do_pause(self) -> None:
        """Hold."""

    def do_reset_emergency_stop(self) -> None:
        """Release."""

    @twice
    async def do_wrapped(self, count: int) -> None:
        """Count."""


ACTIONS = actions_of(Worker)


def called(word: str, args: object, actions: dict[str, Action] = ACTIONS) -> object:
    """What a handler is called with: by place where it takes text, else by name."""
    one = actions[word]
    checked = Schema(one.parameters, one.task).check(one.arguments_of(args))
    by_place, by_name = one.call_arguments(checked)
    inspect.signature(getattr(Worker, one.method)).bind(None, *by_place, **by_name)
    assert not (by_place and by_name)
    return by_place or by_name


def _typed(values: object) -> str:
    return json.dumps(values, sort_keys=True)


def refused(word: str, args: object) -> str:
    """The words in which an action refuses what it is given."""
    with pytest.raises(Refused) as error:
        ACTIONS[word].arguments_of(args)
    assert error.value.error_code == "invalid_parameters"
    return str(error.value)


def test_actions_are_found_as_they_stand_those_of_the_base_first() -> None:
    """An inherited one is an action; the catch-all, and what a subclass took away, is none."""
    assert list(ACTIONS)[:4] == ["ping", "rest", "old", "default"]
    assert not {"command", "gone"} & ACTIONS.keys()
    assert actions_of(Base)["gone"].method == "do_gone"


def test_an_action_is_described_by_its_docstring_and_hints() -> None:
    """As any task of any device."""
    fire = ACTIONS["fire"]
    assert (fire.word, fire.task, fire.method, fire.name) == ("fire", "fire", "do_fire", "Fire")
    assert (fire.effect, fire.timeout, fire.icon, fire.entity) == ("move", 300.0, "", True)
    assert (fire.description, fire.returns) == ("Fire for a time.", "What was fired.")
    (ms,) = fire.parameters
    assert (ms.minimum, ms.maximum, ms.unit, ms.default, ms.required) == (1, 2000, "ms", 500, False)
    assert ms.description == "How long."
    assert ACTIONS["ping"].description == "Answer."


def test_what_is_declared_stands() -> None:
    """Also where a subclass writes the method anew."""
    rest = ACTIONS["rest"]
    assert (rest.effect, rest.timeout, rest.name, rest.icon) == ("stop", 5, "All quiet", "mdi:sleep")
    assert rest.description == "Come to rest otherwise."
    assert not ACTIONS["calm"].entity
    assert ACTIONS["trigger"].name == "Trigger"


def test_the_decorator_gives_the_function_itself_back() -> None:
    """So that inspect, and those who call the method, see what was written."""

    def do_it(self: object, ms: int) -> tuple[object, int]:
        """Do it."""
        return self, ms

    assert action(do_it) is do_it
    assert action(effect="set")(do_it) is do_it


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"effect": "stopp"}, "effect 'stopp' is not one of read, set, move, stop"),
        ({"timeout": 0}, "timeout 0 is not a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout inf"),
    ],
)
def test_a_wrong_declaration_is_told_where_it_stands(wrong: dict[str, Any], words: str) -> None:
    """When the file is loaded, and not when somebody needs the stop."""
    with pytest.raises(ValueError, match=words):
        action(**wrong)


def test_a_task_that_every_device_has_keeps_its_name() -> None:
    """A prop's own is called otherwise on the wire; props are not paused by the house, so that is theirs."""
    assert ACTIONS["emergency_stop"].task == "do_emergency_stop"
    assert ACTIONS["reset_emergency_stop"].task == "do_reset_emergency_stop"
    assert ACTIONS["pause"].task == "pause"


def test_coroutines_are_told_from_plain_methods() -> None:
    """Also behind a decorator of the worker's own."""
    assert [ACTIONS[word].is_plain for word in ("fire", "play_music", "ping", "wrapped")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert called("wrapped", "3") == {"count": 3}


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ("read", "ping status get_angle read_all"),
        ("stop", "stop stop_action stop_music block disarm halt abort off pause pause_music"),
        ("stop", "emergency_stop fade_to_stop"),
        ("set", "set_mode unblock reset volume_up mute connect reset_emergency_stop"),
        ("move", "trigger fire arm start play resume resume_music set_off set_off_all blocks offer getaway"),
    ],
)
def test_an_action_that_says_nothing_is_judged_by_its_word(effect: str, words: str) -> None:
    """What is not known moves, and is refused while stopped."""
    assert {word: effect_of(word) for word in words.split()} == dict.fromkeys(words.split(), effect)


def test_an_action_in_words() -> None:
    """As people read it on a button."""
    assert in_words("set_mode") == "Set mode"
    assert in_words("play_MP3__now_") == "Play MP3  now"
    assert in_words("_") == ""


# The old way: the text as it stands


@pytest.mark.parametrize("word", ["ping", "old", "default"])
@pytest.mark.parametrize(
    ("args", "text"),
    [
        (None, None),
        ("hello big  'world", "hello big  'world"),
        ("", ""),
        (750, "750"),
        (1.5, "1.5"),
        (True, "True"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ([1, "b"], '[1, "b"]'),
        ({"arg": "x"}, '{"arg": "x"}'),
    ],
)
def test_a_handler_of_the_original_is_given_text(word: str, args: object, text: str | None) -> None:
    """Or None; an object or a list as JSON."""
    assert ACTIONS[word].takes_text
    assert called(word, args) == (text,)


def test_such_a_handler_is_called_by_name_from_elsewhere() -> None:
    """``lab2mqtt call heartbeat ping arg=hello``."""
    ping = ACTIONS["ping"]
    (arg,) = ping.parameters
    assert (arg.name, arg.type, arg.required, arg.description) == ("arg", "any", False, "What to say.")
    assert ping.call_arguments({"arg": "hello"}) == (("hello",), {})
    assert ping.call_arguments({"arg": {"a": "ü"}})[0] == (json.dumps({"a": "ü"}),)
    assert ping.call_arguments({}) == ((None,), {})


# Conversions


@pytest.mark.parametrize(
    ("word", "args", "given"),
    [
        ("fire", None, {}),
        ("fire", "", {}),
        ("fire", {}, {}),
        ("fire", [], {}),
        ("fire", "750", {"ms": 750}),
        ("fire", " 750 ", {"ms": 750}),
        ("fire", "750.0", {"ms": 750}),
        ("fire", 750, {"ms": 750}),
        ("fire", {"ms": "750"}, {"ms": 750}),
        ("fire", {"ms": None}, {}),
        ("fire", [750], {"ms": 750}),
        ("fire", '{"ms": 750}', {"ms": 750}),
        ("fire", "[750]", {"ms": 750}),
        ("turn", "-1.5e1", {"angle": -15.0}),
        ("turn", 3, {"angle": 3.0}),
        *[("mute", text, {"on": True}) for text in ("on", "ON", "true", "True", "yes", "1", 1, True)],
        *[("mute", text, {"on": False}) for text in ("off", "false", "no", "0", 0, False)],
        ("set_mode", "armed", {"mode": "armed"}),
        ("set_mode", {"mode": "idle"}, {"mode": "idle"}),
        ("set_level", "2", {"level": 2}),
        ("set_level", 2, {"level": 2}),
        ("say", "it's  so", {"text": "it's  so"}),
        ("say", "", {"text": ""}),
        ("say", '"quoted"', {"text": '"quoted"'}),
        ("say", 5, {"text": "5"}),
        ("say", {"text": "hi"}, {"text": "hi"}),
        ("say", ["hi"], {"text": "hi"}),
        ("say", {"a": 1}, {"text": '{"a": 1}'}),
        ("say", [1, 2], {"text": "[1, 2]"}),
        ("say", '{"a":1}', {"text": '{"a":1}'}),
        ("name", "Igor", {"name": "Igor"}),
        ("name", {"name": None}, {"name": None}),
        ("name", "none", {"name": "none"}),
        ("wait", "2", {"seconds": 2.0}),
        ("wait", {"seconds": None}, {"seconds": None}),
        ("wait", [None], {"seconds": None}),
        ("wait", "none", {"seconds": None}),
        ("play_music", "20", {"volume": 20}),
        ("play_music", "20 'grave yard'", {"volume": 20, "track": "grave yard"}),
        ("play_music", '20 "it\'s"', {"volume": 20, "track": "it's"}),
        ("play_music", [20, "owl"], {"volume": 20, "track": "owl"}),
        ("play_music", [20, None], {"volume": 20}),
        ("play_music", {"volume": "20", "track": 3}, {"volume": 20, "track": "3"}),
        ("play_music", '{"track": "owl", "volume": 1}', {"volume": 1, "track": "owl"}),
        ("play_music", '["20", "owl"]', {"volume": 20, "track": "owl"}),
        ("configure", {"a": 1}, {"config": {"a": 1}}),
        ("configure", {"config": {"a": 1}}, {"config": {"a": 1}}),
        ("configure", {"config": 1, "a": 2}, {"config": {"config": 1, "a": 2}}),
        ("configure", {}, {"config": {}}),
        ("configure", '{"a": 1}', {"config": {"a": 1}}),
        ("configure", [{"a": 1}], {"config": {"a": 1}}),
        ("tell", ["fogger", "shaker"], {"targets": ["fogger", "shaker"]}),
        ("tell", [["fogger"]], {"targets": ["fogger"]}),
        ("tell", [], {"targets": []}),
        ("tell", '["fogger"]', {"targets": ["fogger"]}),
        ("tell", {"targets": '["fogger"]'}, {"targets": ["fogger"]}),
        ("steps", '["1", 2]', {"steps": [1, 2]}),
        ("light", """red '{"speed": 3}'""", {"scene": "red", "options": {"speed": 3}}),
        ("light", {"scene": "red", "options": "{}"}, {"scene": "red", "options": {}}),
        ("anything", "5", {"what": "5"}),
        ("anything", [1], {"what": [1]}),
        ("anything", {"a": 1}, {"what": {"a": 1}}),
        ("anything", {"what": None}, {"what": None}),
        ("trigger", None, {}),
        ("trigger", {}, {}),
        ("trigger", "", {}),
    ],
)
def test_what_comes_is_converted_by_type(word: str, args: object, given: dict[str, object]) -> None:
    """Text, JSON text, by name, by place, several words."""
    found = called(word, args)
    assert (found or {}) == given
    assert _typed(found or {}) == _typed(given), "true is not 1, nor 3.0 the same as 3"


@pytest.mark.parametrize(
    ("word", "args", "words"),
    [
        ("fire", "abc", "ms 'abc' is not a whole number, 1 to 2000 ms"),
        ("fire", "1_000", "ms '1_000' is not a whole number, 1 to 2000 ms"),
        ("fire", "7.5", "ms 7.5 is not a whole number, 1 to 2000 ms"),
        ("fire", "9" * 5000, "is not a whole number, 1 to 2000 ms"),
        ("fire", "3000", "ms 3000 is out of range: a whole number, 1 to 2000 ms"),
        ("fire", True, "ms true is not a whole number, 1 to 2000 ms"),
        ("fire", {"mss": 1}, "fire has no 'mss' (did you mean 'ms'?): it takes ms"),
        ("fire", [1, 2], "fire takes ms: [1, 2] is more than that"),
        ("turn", "nan", "angle 'nan' is not a number"),
        ("turn", "1e999", "angle '1e999' is not a number"),
        ("turn", None, "angle is missing: a number"),
        ("turn", "", "angle is missing: a number"),
        ("mute", "perhaps", "on 'perhaps' is not true or false"),
        ("mute", 2, "on 2 is not true or false"),
        ("set_mode", "armd", "mode 'armd' is not one of idle, armed"),
        ("set_mode", None, "mode is missing: one of idle, armed"),
        ("set_mode", {"moode": "armed"}, "set_mode has no 'moode' (did you mean 'mode'?): it takes mode"),
        ("set_level", "4", "level 4 is not one of 1, 2, 3"),
        ("name", "Frankenstein", "name 'Frankenstein' has 12 characters"),
        ("say", None, "text is missing: a text"),
        ("say", {}, "text is missing: a text"),
        ("play_music", None, "volume is missing: a whole number, 0 to 30"),
        ("play_music", "loud 1", "volume 'loud' is not a whole number, 0 to 30"),
        ("play_music", {"volume": 31, "trak": "x"}, "play_music has no 'trak' (did you mean 'track'?)"),
        ("play_music", {"volume": 31, "trak": "x"}, "volume 31 is out of range"),
        ("play_music", "1 two three", "play_music takes volume, track: "),
        ("play_music", "1 it's", "play_music: a quotation mark is not closed in"),
        ("configure", "{bad", "config '{bad' is not an object"),
        ("configure", None, "config is missing: an object"),
        ("configure", {"config": 5}, "config 5 is not an object"),
        ("tell", "fogger shaker", "targets 'fogger shaker' is not a list (each a text)"),
        ("tell", "[" * 3000, "is not a list"),
        ("steps", [1, "x"], "steps 'x' is not a whole number"),
        ("light", {"scene": "rd", "options": {}}, "scene 'rd' is not one of red, blue"),
        ("trigger", "now", "trigger takes nothing: "),
        ("trigger", {"x": 1}, "trigger has no 'x': it takes nothing"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(word: str, args: object, words: str) -> None:
    """With the parameter, what was given, and what is allowed."""
    assert words in refused(word, args)


@pytest.mark.parametrize("args", ["now", "9", {"withn": 1}, "it's", [1, 2], '{"within": "x"}'])
def test_a_stop_is_done_without_what_does_not_fit(args: object, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing stands in the way of a stop."""
    assert called("calm", args) == {}
    assert called("rest", args) == {}
    assert "calm is done without its arguments: " in caplog.text
    assert called("calm", "2.5") == {"within": 2.5}


# Hints that cannot be used


def unusable(hint: object, default: object = inspect.Parameter.empty) -> type:
    """A worker with an action whose one argument has a hint that no command fits."""

    def do_x(self: object, given: object = default) -> None:
        """Do it."""

    do_x.__annotations__ = {"given": hint, "return": None}
    if default is inspect.Parameter.empty:
        do_x.__defaults__ = None
    return type("Odd", (), {"do_x": do_x})


@pytest.mark.parametrize(
    ("hint", "default", "words"),
    [
        ("Decimal", inspect.Parameter.empty, "name 'Decimal' is not defined"),
        (complex, inspect.Parameter.empty, "has no JSON type"),
        (int | str, inspect.Parameter.empty, "more than one type"),
        (Path, inspect.Parameter.empty, "given is a path"),
        (list[Path], inspect.Parameter.empty, "given is a path"),
        (int, object(), "default"),
        (float, float("nan"), "not a finite number"),
        ("1 +", inspect.Parameter.empty, "must be an expression"),
    ],
)
def test_an_action_whose_hint_cannot_be_used_is_given_text(
    hint: object, default: object, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And that is said once, in the log, for who wrote it."""
    one = actions_of(unusable(hint, default))["x"]
    assert one.takes_text
    assert one.parameters[0].name == "given"
    assert one.call_arguments(one.arguments_of(5)) == (("5",), {})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "do_x is given the text" in record.getMessage()
    assert words in record.getMessage()


class Odd:
    """Signatures that cannot be called by name, and a name that nobody can call."""

    def do_rest(self, *args: str) -> tuple[str, ...]:
        """Take what comes."""
        return args

    def do_first(self, ms: int, /) -> int:
        """Take by place."""
        return ms

    def do_done(self) -> Decimal:  # type: ignore[empty-body]
        """Take nothing, and give what is known to the type checker alone."""

    @action
    def trigger(self) -> None:
        """Lacks the front."""


def test_signatures_that_cannot_be_called_by_name(caplog: pytest.LogCaptureFixture) -> None:
    """They are given the text; what takes nothing is given nothing, whatever its hints say."""
    actions = actions_of(Odd)
    assert list(actions) == ["rest", "first", "done"]
    assert actions["rest"].call_arguments({"args": "a b"}) == (("a b",), {})
    assert actions["first"].takes_text
    assert (actions["done"].takes_text, actions["done"].parameters) == (False, ())
    assert "Odd.trigger is no action: call it do_trigger" in caplog.text
