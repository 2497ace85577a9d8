"""In the demo a colour loop is made in the browser, fills wells, is stopped, and is interrupted."""

from collections.abc import Iterator
import json
from pathlib import Path
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

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("loop")]

LOOP = "script.colour_loop"
TITLE = "Colour loop A1-A2"
RESERVED_FOR = 12  # s
DASHBOARD = "/lab2mqtt-lab"
OT2 = "lab2mqtt/ot2/state"
LIST = "todo.lab_run_queue"
QUEUE = "switch.lab_run_queue"
HOUSEKEEPING = ("reserve", "release", "status", "get_history")
RESORT = "lab2mqtt/plate-resort/state"
KINDS = ("ot2", "plate-resort", "fan", "grave_shaker")  # a robot, a carousel, a board and a prop
BOARDS = {"fan": "fan", "grave_shaker": "esp32-grave-shaker-01"}
SOON = 15.0  # s
RUN_WITHIN = 60.0  # s; two wells take 30
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
def ada(demo: Demo) -> Iterator[Api]:
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
    answer = other.request("POST", "/auth/token", grant, "application/x-www-form-urlencoded")
    other.token = json.loads(answer)["access_token"]
    yield other
    other.disconnect()


@pytest.fixture
def seen(demo: Demo) -> Iterator[Observer]:
    """All that is said in the lab."""
    with Observer(demo.broker_port, "lab2mqtt/#") as observer:
        yield observer


@pytest.fixture
def owner(demo: Demo) -> Iterator[Browser]:
    """The owner's browser, with room for three columns of cards."""
    with browser(demo.api.url, demo.api.token, size=(1280, 1060)) as tab:
        tab.page.context.add_init_script("""localStorage.setItem("dockedSidebar", '"always_hidden"')""")
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
    told: dict[str, object] = {"device": device, "task": task, "parameters": parameters}
    return demo.api.call_service("lab2mqtt", "run_task", told, return_response=True)["result"]


def _set_table(demo: Demo) -> None:
    """A person ends what the robot left unfinished, puts a new plate and new tips into it, and says so."""
    if _do(demo, "ot2", "status")["run"]:
        _do(demo, "ot2", "stop")
    for hands, task in (("new_plate", "reset_plate"), ("new_tips", "reset_tips")):
        demo.truth("ot2", **{hands: True})
        _do(demo, "ot2", task)
    _do(demo, "ot2", "reset_sensor")
    _do(demo, "ot2", "home")
    _do(demo, "plate-resort", "set_speed", speed=50)


def _repairs(demo: Demo) -> set[str]:
    return {each["issue_id"] for each in demo.api.ws("repairs/list_issues")["issues"]}


def _duty(demo: Demo, device: str) -> int:
    """What comes out at the pin of a board's motor, in ns."""
    outputs = demo.truth(BOARDS[device])["outputs"].values()
    return max(int(each.get("duty_ns", 0)) for each in outputs)


def _stand(demo: Demo) -> dict[str, Any]:
    """Where everything is that can move."""
    robot = demo.truth("ot2")
    return {
        "robot": [robot[each] for each in ("position", "wells", "tips", "picked", "sensor")],
        "carousel": round(demo.truth("plate-resort")["position"], 1),
        **{device: _duty(demo, device) for device in BOARDS},
    }


def _stay(demo: Demo, seconds: float) -> dict[str, Any]:
    """Look for some time whether anything moves; gives where all of it stands."""
    before = _stand(demo)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert _stand(demo) == before
    return before


def _orders(seen: Observer, device: str = "", since: int = 0) -> list[str]:
    """The tasks that somebody asked of a device, or of any, but for what only asks and reserves."""
    topic = f"lab2mqtt/{device}/command" if device else "/command"
    told = [one.json["task"] for one in seen.heard(since=since) if one.topic.endswith(topic)]
    return [task for task in told if task not in HOUSEKEEPING]


def _done(demo: Demo, run: dict[str, Any]) -> list[str]:
    """What the robot has done since a run began, but for what only asks and reserves."""
    told = {"device": "ot2", "since": run["began"]}
    history = demo.api.call_service("lab2mqtt", "get_history", told, return_response=True)["result"]
    commands = sorted(history["commands"], key=lambda one: one["seq"])
    done = [one["task"] for one in commands if one["status"] == "success"]
    return [task for task in done if task not in HOUSEKEEPING]


def _tries_to_home(demo: Demo, ada: Api, tab: Browser) -> Locator:
    """The other person is refused on the card, and by the action; gives the card."""
    card = tab.page.locator("lab2mqtt-task-card")
    card.get_by_role("button", name="Run").click()
    refused = card.get_by_role("alert")
    expect(refused).to_contain_text(f"reserved by '{TITLE} ")
    expect(refused.locator("code")).to_have_text("reserved")
    told = {"device": demo.page("OT-2").rpartition("/")[2], "task": "home"}
    with pytest.raises(Refusal, match=f"reserved by '{TITLE} "):
        ada.ws("call_service", domain="lab2mqtt", service="run_task", service_data=told, return_response=True)
    return card


def test_wells_are_filled_while_another_person_is_refused(
    demo: Demo, ada: Api, seen: Observer, owner: Browser, results: Path
) -> None:
    """Run in the browser; whoever else wants something moved is told who has it.

    It ends in pictures of the docs: ``script/test e2e``, then copy them from test-results to docs/images.
    """
    for plate, (hotel, room) in {"MTP-0007": ("A", 2), "MTP-0012": ("B", 1), "MTP-0013": ("B", 2)}.items():
        _do(demo, "plate-resort", "place_plate", plate=plate, hotel=hotel, room=room)
    owner.open(DASHBOARD)
    expect(owner.page.get_by_text("All devices are ready, and nothing runs.")).to_be_visible()
    owner.picture(results / "lab-dashboard.png")

    other = owner.beside(ada.token)
    other.open(f"{DASHBOARD}/device-ot2")
    _run_in(owner)
    seen.wait(OT2, lambda now: now["task"] == "mix_color", within=SOON)
    owner.page.set_viewport_size({"width": 1280, "height": 1280})
    owner.open(DASHBOARD)
    deck = owner.page.locator("lab2mqtt-deck-card")
    expect(deck.get_by_role("progressbar", name="Mix color")).to_be_visible()
    expect(owner.page.locator("lab2mqtt-devices-card")).to_contain_text(TITLE)
    queue = owner.page.locator("hui-todo-list-card")
    expect(queue).to_contain_text(TITLE)
    expect(queue).to_contain_text(re.compile(r"running · 0 % · (Mixes|Measures) A1 · script.colour_loop"))

    _tries_to_home(demo, ada, other).screenshot(path=results / "failed-action.png")

    expect(queue).to_contain_text("running · 50 % · Mixes A2 · script.colour_loop", timeout=1000 * RUN_WITHIN)
    expect(deck).to_contain_text(re.compile(r"step [67] of 10"), timeout=1000 * SOON)
    owner.page.screenshot(path=results / "colour-loop.png")  # it does not stand still
    demo.api.wait_for(LOOP, shows("off"), RUN_WITHIN)
    run = _last_run(demo)
    assert (run["title"], run["status"], run["error"]) == (TITLE, "succeeded", "")
    assert [(each["well"], each["R"], each["B"]) for each in run["results"]] == [
        ("A1", 200, 0),
        ("A2", 0, 200),
    ]
    assert all(each["color"]["clear"] > 0 for each in run["results"])
    wells = demo.truth("ot2")["wells"]
    assert [sum(wells[each].values()) for each in ("1/A1", "1/A2")] == pytest.approx([200, 200])
    state = seen.last(OT2)
    assert {well: each["volume"] for well, each in state["plate"].items()} == {"1/A1": 200, "1/A2": 200}
    assert state["wells_used"] == 2
    assert state["deck"]["slots"]["1"]["places"][0] == "ll" + 10 * "e"
    well = ["mix_color", "move_sensor_to_measurement_position", "move_sensor_back"]
    assert _done(demo, run) == [*well, *well]
    expect(deck.get_by_role("progressbar")).to_have_count(0)
    deck.get_by_role("button", name=re.compile("^Slot 1, ")).click()
    deck.get_by_role("gridcell", name=re.compile("^A2: ")).click()
    expect(deck).to_contain_text("200 µL: Blue 200")
    owner.page.set_viewport_size({"width": 1280, "height": 2100})  # nothing lies over a card
    deck.screenshot(path=results / "deck-card.png")
    owner.page.locator("lab2mqtt-plate-resort-card").screenshot(path=results / "plate-resort-card.png")
    expect(queue).to_contain_text("done · script.colour_loop")
    assert owner.complaints == []


def test_the_stop_card_stops_four_kinds_of_device_and_the_loop(
    demo: Demo, seen: Observer, owner: Browser
) -> None:
    """Robot, carousel, board and prop stand while they move; the release moves nothing."""
    _set_table(demo)
    _do(demo, "plate-resort", "set_speed", speed=10)  # slowly
    _do(demo, "fan", "set_speed", speed=60)
    owner.open(DASHBOARD)
    stop = owner.page.locator("lab2mqtt-stop-card")
    expect(stop.get_by_text("Not stopped")).to_be_visible()
    since = seen.mark()
    _run_in(owner.beside(demo.api.token))
    seen.wait(OT2, lambda now: now["task"] == "mix_color", since=since, within=SOON)
    run = _last_run(demo)
    before = _stand(demo)
    until(lambda: _stand(demo)["robot"] != before["robot"], "the robot moves", within=SOON)
    turn = {"task": "activate_hotel", "parameters": {"hotel": "D"}, "request_id": "r-1"}
    seen.publish("lab2mqtt/plate-resort/command", {**turn, "reservation": run["holder"]})
    seen.publish("lab2mqtt/grave_shaker/command", {"task": "shake", "request_id": "r-2"})
    until(lambda: _stand(demo)["carousel"] != before["carousel"], "the carousel turns")
    until(lambda: _duty(demo, "grave_shaker") > 0, "it shakes")
    assert _duty(demo, "fan") > 0

    stop.get_by_role("button", name="STOP", exact=True).click()
    expect(stop.get_by_text("Stopped", exact=True)).to_be_visible()
    expect(stop.get_by_text("All devices have confirmed that they stand.")).to_be_visible()
    for device in KINDS:
        state = seen.wait(f"lab2mqtt/{device}/state", lambda now: now["stop_confirmed"], since=since).json
        assert (state["emergency_stop"], state["readiness"]) == (True, "emergency_stopped")
    assert demo.api.wait_for("sensor.lab_stop", shows("stopped"))
    demo.api.wait_for(LOOP, shows("off"))
    ended = _last_run(demo)
    assert (ended["run"], ended["status"]) == (run["run"], "stopped")
    assert ended["error"].startswith("A1: mix_color: ")
    for device in ("plate-resort", "grave_shaker"):
        answer = seen.wait(f"lab2mqtt/{device}/result", lambda told: told["request_id"] in ("r-1", "r-2"))
        assert answer.json["error_code"] == "emergency_stopped"
    stands = _stay(demo, 2.0)
    assert not demo.truth("plate-resort")["moving"]
    assert [stands[each] for each in BOARDS] == [0, 0]

    stop.get_by_role("button", name="Release the stop").click()
    stop.get_by_role("dialog").get_by_role("button", name="Release the stop").click()
    expect(stop.get_by_text("Not stopped")).to_be_visible()
    stopped = [f"lab2mqtt/{device}/state" for device in KINDS]
    until(lambda: not any(seen.last(each)["emergency_stop"] for each in stopped), "all are released")
    until(lambda: [seen.last(each)["reserved_by"] for each in (OT2, RESORT)] == [None, None], "they are free")
    assert _stay(demo, 1.0) == stands
    assert _orders(seen, "ot2", since) == ["mix_color"]
    assert owner.complaints == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["in order", "killed"])
def test_nothing_moves_by_itself_after_a_restart_in_mid_loop(
    demo: Demo, seen: Observer, owner: Browser, number: signal.Signals
) -> None:
    """The robot ends the task under way; the run was interrupted, and its devices are free."""
    _set_table(demo)
    _do(demo, "fan", "set_speed", speed=0)
    demo.api.call_service("script", "turn_on", {"entity_id": LOOP})
    seen.wait(OT2, lambda now: now["task"] == "mix_color" and now["step"], within=SOON)
    run = _last_run(demo)
    for words in ("grave_shaker shake", "fan set_speed speed=60"):
        demo.api.call_service("todo", "add_item", {"entity_id": LIST, "item": words})
    demo.api.call_service("switch", "turn_on", {"entity_id": QUEUE})
    until(lambda: _duty(demo, "grave_shaker") > 0, "the first of the queue runs")
    since = seen.mark()
    assert _complaints(demo.end_hub(number)) == []
    demo.until_hub_is_up()
    demo.api.wait_for(QUEUE, shows("off"), SOON)
    demo.api.wait_for(LOOP, shows("off"), SOON)
    told = demo.api.wait_for("event.lab_runs", lambda now: "event_type" in now["attributes"])
    assert told["attributes"]["event_type"] == "run_interrupted"
    runs = demo.api.call_service("lab2mqtt", "get_runs", {"limit": 3}, return_response=True)["runs"]
    assert {each["title"]: each["status"] for each in runs} == {
        "fan set_speed speed=60": "waiting",
        "grave_shaker shake": "interrupted",
        TITLE: "interrupted",
    }
    assert run["run"] in [each["run"] for each in runs]
    owner.open("/config/repairs")
    owner.wait_for_text(TITLE)

    for state in (OT2, RESORT):
        seen.wait(state, lambda now: now["reserved_by"] is None, since=since, within=RESERVED_FOR + SOON)
    assert seen.last(OT2)["task"] is None
    stands = _stay(demo, 2.0)
    assert [stands[device] for device in BOARDS] == [0, 0]
    assert list(seen.last(OT2)["plate"]) == ["1/A1"]
    assert _orders(seen, since=since) == []
    assert _done(demo, run) == ["mix_color"]

    interrupted = {f"run_interrupted_{each['run']}" for each in runs if each["status"] == "interrupted"}
    assert interrupted <= _repairs(demo)
    for each in runs:
        done = {"item": each["run"], "status": "completed"}
        demo.api.call_service("todo", "update_item", {"entity_id": LIST, **done})
    assert not interrupted & _repairs(demo)
    assert owner.complaints == []
