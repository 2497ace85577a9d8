"""In the demo: a colour loop is made in the browser, runs, is kept from others, is stopped and interrupted."""

from collections.abc import Callable, Iterator
import re
import signal
import time
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, expect
import pytest
from tests.broker.observer import Observer, until
from tests.e2e import running_demo
from tests.e2e.browser import Browser, browser
from tests.e2e.running_demo import Demo
from tests.hub.lab import complaints, shows

from lab2mqtt.hub.api import Api, Refusal
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(180)

LOOP = "script.colour_loop"
TITLE = "Colour loop A1-A2"
RESERVED_FOR = 12  # s
DASHBOARD = "/lab2mqtt-lab"
OT2 = "lab2mqtt/ot2/state"
RESORT = "lab2mqtt/plate-resort/state"
KINDS = ("ot2", "plate-resort", "fan", "grave_shaker")  # a robot, a carousel, a board and a prop
BOARDS = {"fan": "fan", "grave_shaker": "esp32-grave-shaker-01"}
SOON = 15.0  # s
RUN_WITHIN = 60.0  # s; two wells take 30
MS = 1000
# Home Assistant's own lines: of every custom integration, and of every action that fails.
OF_THE_HUB = ("We found a custom integration", "Error during service call to lab2mqtt.run_task")


@pytest.fixture(scope="module")
def demo(hub: HomeAssistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo as everybody starts it; the parts that it needs are there."""
    assert hub.pid
    with running_demo.running(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture(scope="module")
def loop(demo: Demo) -> None:
    """The script, made of the blueprint in the browser, with the devices out of their pickers."""
    with browser(demo.api.url, demo.api.token, size=(1280, 1400)) as tab:
        tab.open("/config/blueprint/dashboard")
        tab.page.get_by_text("Colour loop", exact=True).click()
        picked = ("OT-2", "Colour sensor", "Plate resort")
        for name in picked:
            _pick(_input(tab, name), f"{name} (simulated)")
        _input(tab, "Wells").locator("input").fill("A1-A2")
        tab.page.get_by_text("Plate from the hotel").click()
        _input(tab, "Hotel").locator("input").fill("B")
        tab.page.get_by_text("Failures").click()
        _input(tab, "Reserved without a sign of life").locator("input").fill(str(RESERVED_FOR))
        tab.page.get_by_role("button", name="Save").click()
        tab.page.wait_for_url("**/config/script/edit/colour_loop")
        assert tab.complaints == []
    ids = [demo.page(name).rpartition("/")[2] for name in picked]
    made = demo.api.get("/api/config/script/config/colour_loop")
    assert made["use_blueprint"]["input"] == {
        **dict(zip(("ot2", "color_sensor", "plate_resort"), ids, strict=True)),
        "wells": "A1-A2",
        "hotel": "B",
        "reserved_for": RESERVED_FOR,
    }


@pytest.fixture(scope="module")
def ada(demo: Demo) -> Api:
    """Another person, who is no administrator; logged in."""
    word = {"username": "ada", "password": "of the other group"}
    owner, other = demo.api, Api(demo.api.port)
    user = owner.ws("config/auth/create", name="Ada", group_ids=["system-users"])["user"]
    owner.ws("config/auth_provider/homeassistant/create", user_id=user["id"], **word)
    client = {"client_id": f"{other.url}/"}
    asked = {**client, "handler": ["homeassistant", None], "redirect_uri": client["client_id"]}
    form = other.post("/auth/login_flow", asked)
    code = other.post(f"/auth/login_flow/{form['flow_id']}", {**client, **word})["result"]
    grant = urlencode({**client, "grant_type": "authorization_code", "code": code}).encode()
    answer = other.post_form("/auth/token", grant)
    other.token = answer["access_token"]
    return other


@pytest.fixture
def seen(demo: Demo) -> Iterator[Observer]:
    """All that is said in the lab."""
    with Observer(demo.broker_port, "lab2mqtt/#") as observer:
        yield observer


@pytest.fixture
def owner(demo: Demo) -> Iterator[Browser]:
    """The owner's browser, high enough for a robot with its plate."""
    with browser(demo.api.url, demo.api.token, size=(1280, 1700)) as tab:
        yield tab


@pytest.fixture(autouse=True)
def _nothing_to_complain_of(demo: Demo) -> Iterator[None]:
    """Nothing of ours is at warning or above in Home Assistant's log."""
    yield
    assert _complaints(demo.hub_log()) == []


def _complaints(log: str) -> list[str]:
    return [one for one in complaints(log) if not any(words in one for words in OF_THE_HUB)]


def _input(tab: Browser, name: str) -> Locator:
    heading = tab.page.locator("[slot=heading]").get_by_text(name, exact=True)
    return tab.page.locator("ha-settings-row").filter(has=heading)


def _pick(row: Locator, device: str) -> None:
    row.locator("ha-device-picker").click()
    offered = row.locator("ha-picker-combo-box")
    offered.locator("input").fill(device)
    offered.get_by_text(device).click()
    # What is written into the next field before that is lost to Home Assistant.
    row.locator("ha-picker-field").get_by_text(device).wait_for()


def _run_in(tab: Browser) -> None:
    """Run the script as a person does, in its editor."""
    tab.open("/config/script/edit/colour_loop")
    tab.page.locator("ha-script-editor").get_by_role("button", name="Menu").click()
    tab.page.get_by_role("menuitem", name="Run script").click()


def _last_run(demo: Demo) -> dict[str, Any]:
    runs = demo.api.call_service("lab2mqtt", "get_runs", {"limit": 1}, return_response=True)["runs"]
    run: dict[str, Any] = runs[0]
    return run


def _do(demo: Demo, device: str, task: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
    told = {"device": device, "task": task, "parameters": parameters}
    return demo.api.call_service("lab2mqtt", "run_task", told, return_response=True)["result"]


def _clean_plate(demo: Demo) -> None:
    """A person puts a new plate and new tips into the robot, and says so."""
    for hands, task in (("new_plate", "reset_plate"), ("new_tips", "reset_tips")):
        demo.truth("ot2", **{hands: True})
        _do(demo, "ot2", task)
    _do(demo, "ot2", "reset_sensor")


def _duty(demo: Demo, device: str) -> int:
    """What comes out at the pin of a board's motor, in ns."""
    outputs = demo.truth(BOARDS[device])["outputs"].values()
    return max(each.get("duty_ns", 0) for each in outputs)


def _stand(demo: Demo) -> dict[str, Any]:
    """Where everything is that can move."""
    robot = demo.truth("ot2")
    return {
        "robot": [robot[each] for each in ("position", "wells", "tips", "picked", "sensor")],
        "carousel": round(demo.truth("plate-resort")["position"], 1),
        **{device: _duty(demo, device) for device in BOARDS},
    }


def _stay(demo: Demo, seconds: float) -> None:
    """Look for some time whether anything moves."""
    before = _stand(demo)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert _stand(demo) == before


def _orders(seen: Observer, since: int = 0) -> list[tuple[str, str]]:
    """All that was asked of any device, and changes something: topic and task."""
    told = [one for one in seen.heard(since=since) if one.topic.endswith("/command")]
    tasks = [(one.topic, one.json["task"]) for one in told]
    return [each for each in tasks if each[1] not in ("reserve", "release", "status", "get_history")]


def _wait(seen: Observer, topic: str, test: Callable[[Any], bool], within: float = SOON) -> None:
    seen.wait(topic, test, since=seen.mark(), within=within)


def test_wells_are_filled_while_another_person_is_refused(
    demo: Demo, loop: None, ada: Api, seen: Observer, owner: Browser
) -> None:
    """Run in the browser; whoever else wants something moved is told who has it."""
    _run_in(owner)
    seen.wait(OT2, lambda now: now["task"] == "mix_color", within=SOON)
    owner.open(DASHBOARD)
    deck = owner.page.locator("lab2mqtt-deck-card")
    expect(deck.get_by_role("progressbar", name="Mix color")).to_be_visible(timeout=SOON * MS)
