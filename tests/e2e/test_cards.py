"""A person works with the cards: the stop, a task by its form, the dashboard of the whole lab."""

from collections.abc import Iterator
import os
from pathlib import Path
import re

from playwright.sync_api import Locator, expect
import pytest
from tests.e2e.browser import Browser, browser, find_chromium
from tests.e2e.cards_lab import OT2, RESORT, CardsLab

from lab2mqtt.hub import environments, mosquitto
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(180)

PHONE = (390, 844)
STOP = {"type": "custom:lab2mqtt-stop-card"}
TASK = {"type": "custom:lab2mqtt-task-card"}
DEVICES = {"type": "custom:lab2mqtt-devices-card"}
WITHIN = 30_000  # ms; a turn of the carousel takes up to 10 s, a new link of Home Assistant as long

# What lies beside the card, how high is what can be pressed, and the contrast of the title.
_MEASURE = """card => {
  const pressed = "button, select, input, textarea, a";
  const all = [...card.shadowRoot.querySelectorAll("*")];
  const edge = card.getBoundingClientRect();
  const boxOf = (one) => one.getBoundingClientRect();
  const within = ({ left, right }) => left >= edge.left - 1 && right <= edge.right + 1;
  const cut = (one) => boxOf(one).width && !within(boxOf(one));
  const linear = (one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((one) => linear(Number(one) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const title = getComputedStyle(card.shadowRoot.querySelector("h2")).color;
  const ground = getComputedStyle(card.shadowRoot.querySelector("ha-card")).backgroundColor;
  const [dim, bright] = [light(title), light(ground)].sort((one, other) => one - other);
  return {
    over: all.filter(cut).map((one) => one.outerHTML.slice(0, 80)),
    heights: all.filter((one) => one.matches(pressed)).map((one) => boxOf(one).height),
    contrast: (bright + 0.05) / (dim + 0.05),
  };
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CardsLab]:
    """The newest Home Assistant with our integration, a resort and an OT-2, on a broker of their own."""
    try:
        program = mosquitto.find_or_unpack(print)
        venv = environments.install(environments.NEWEST.version, print)
        if not find_chromium():
            raise NotAvailable("no Chromium on PATH; on Debian: apt-get install chromium")
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with Mosquitto(program) as broker, CardsLab(venv, broker, tmp_path_factory.mktemp("cards")) as made:
        yield made


@pytest.fixture(autouse=True)
def _released(lab: CardsLab) -> Iterator[None]:
    """Each test leaves a lab that is not stopped, and does nothing."""
    yield
    lab.call("emergency_stop")
    lab.call("reset_emergency_stop")
    lab.until_ready(RESORT)


@pytest.fixture
def person(lab: CardsLab) -> Iterator[Browser]:
    """A browser at this Home Assistant."""
    with browser(lab.hub.url, size=(1280, 1000)) as tab:
        yield tab


def _card(tab: Browser, kind: str) -> Locator:
    return tab.page.locator(f"lab2mqtt-{kind}-card")


def _begin_turn(lab: CardsLab) -> float:
    """Begin a turn that takes some seconds; gives where it would end."""
    target: float = round(lab.servo.truth()["position"] + 150) % 360
    lab.hub.wait_for("number.plate_resort_target", lambda now: now["state"] != "unavailable", WITHIN / 1000)
    lab.hub.post(
        "/api/services/number/set_value", {"entity_id": "number.plate_resort_target", "value": target}
    )
    lab.servo.until_moving()
    return target


def _stands_on_its_way(lab: CardsLab, target: float) -> float:
    """Wait until the servo stands, and gives where; that is not where it was sent."""
    position: float = lab.servo.until_still()["position"] % 360
    assert min(abs(position - target), 360 - abs(position - target)) > 5
    return position


def test_one_tap_stops_and_the_reset_asks(lab: CardsLab, person: Browser, results: Path) -> None:
    """The servo stands, the card says who stopped it and when; the release moves nothing."""
    person.open(lab.cards("lab-stop", STOP))
    card = _card(person, "stop")
    expect(card.get_by_text("Not stopped")).to_be_visible()
    target = _begin_turn(lab)
    card.get_by_role("button", name="STOP", exact=True).click()
    stands = _stands_on_its_way(lab, target)
    expect(card.get_by_text("Stopped", exact=True)).to_be_visible()
    expect(card.get_by_text("All devices have confirmed that they stand.")).to_be_visible()
    expect(card.get_by_text(re.compile(r"^By .+, \d\d:\d\d"))).to_be_visible()
    person.picture(results / "stop-card.png")

    card.get_by_role("button", name="Release the stop").click()
    dialog = card.get_by_role("dialog")
    expect(dialog.get_by_text("Nothing moves by that.")).to_be_visible()
    person.picture(results / "stop-card-release.png")
    dialog.get_by_role("button", name="Not now").click()
    expect(dialog).to_have_count(0)
    expect(card.get_by_text("Stopped", exact=True)).to_be_visible()

    card.get_by_role("button", name="Release the stop").click()
    dialog.get_by_role("button", name="Release the stop").click()
    expect(card.get_by_text("Not stopped")).to_be_visible()
    lab.until_ready(RESORT)
    expect(card.get_by_text("Before it goes on:")).to_be_visible()
    expect(card.get_by_role("listitem").filter(has_text="Plate resort")).to_contain_text(
        "nothing stands in its way"
    )
    person.picture(results / "stop-card-look.png")
    card.get_by_role("button", name="I have looked").click()
    expect(card.get_by_text("Before it goes on:")).to_have_count(0)
    assert lab.servo.truth()["position"] % 360 == pytest.approx(stands, abs=0.5)
    assert not lab.servo.truth()["moving"]
    assert person.complaints == []


def test_who_has_not_confirmed_is_named(lab: CardsLab, person: Browser, results: Path) -> None:
    """A bridge that is hung up confirms nothing; as soon as it lives, it does."""
    person.open(lab.cards("lab-stop", STOP))
    card = _card(person, "stop")
    expect(card.get_by_text("Not stopped")).to_be_visible()
    with lab.bridge_hung():
        card.get_by_role("button", name="STOP", exact=True).click()
        expect(card.get_by_text("Stopping", exact=True)).to_be_visible()
        expect(card.get_by_role("listitem").filter(has_text="Plate resort")).to_be_visible()
        person.picture(results / "stop-card-stopping.png")
    expect(card.get_by_text("Stopped", exact=True)).to_be_visible()
    assert person.complaints == []


def test_it_says_when_it_cannot_stop(lab: CardsLab, person: Browser, results: Path) -> None:
    """Without the broker, and without Home Assistant; both come back, and so does the card."""
    person.open(lab.cards("lab-stop", STOP))
    card = _card(person, "stop")
    expect(card.get_by_text("Not stopped")).to_be_visible()
    lab.broker.stop()
    expect(card.get_by_text("You cannot stop from here.")).to_be_visible(timeout=WITHIN)
    expect(card.get_by_text("no link to the broker")).to_be_visible()
    expect(card.get_by_text("Not known")).to_be_visible()
    person.picture(results / "stop-card-no-broker.png")
    lab.broker.start()
    expect(card.get_by_text("Not stopped")).to_be_visible(timeout=WITHIN)
    assert person.complaints == []

    lab.hub.stop()
    expect(card.get_by_text("There is no link to Home Assistant.")).to_be_visible(timeout=WITHIN)
    lab.hub.start()
    expect(card.get_by_text("Not stopped")).to_be_visible(timeout=WITHIN)
    target = _begin_turn(lab)
    card.get_by_role("button", name="STOP", exact=True).click()
    _stands_on_its_way(lab, target)


def test_a_task_is_run_from_its_form(lab: CardsLab, person: Browser, results: Path) -> None:
    """Device and task are chosen; what is missing is not sent; it says how far it is, and what came out."""
    person.open(lab.cards("lab-task", TASK))
    card = _card(person, "task")
    card.get_by_label("Device").select_option(label="Plate resort")
    card.get_by_label("Task", exact=True).select_option(label="Activate hotel")
    run = card.get_by_role("button", name="Run")
    with lab.observe() as seen:
        run.click()
        assert card.get_by_label("Hotel", exact=True).evaluate("field => field.validity.valueMissing")
        card.get_by_label("Hotel", exact=True).select_option("C")
        run.click()
        expect(card.get_by_role("button", name="Running …")).to_be_disabled()
        expect(card.get_by_role("progressbar")).to_be_visible()
        expect(card.get_by_role("button", name="Cancel task")).to_be_visible()
        person.page.screenshot(path=results / "task-card-running.png")  # it does not stand still
        expect(card.get_by_text(re.compile(r"^Activate hotel: done in [\d.]+ s\.$"))).to_be_visible(
            timeout=WITHIN
        )
        commands = [one.json for one in seen.heard(f"lab2mqtt/{RESORT}/command")]
    assert [(one["task"], one["parameters"]) for one in commands] == [("activate_hotel", {"hotel": "C"})]
    assert commands[0]["issued_by"]
    expect(run).to_be_enabled()
    expect(card.get_by_role("progressbar")).to_have_count(0)
    person.picture(results / "task-card-done.png")
    assert person.complaints == []


def test_an_error_is_told_in_words(lab: CardsLab, person: Browser, results: Path) -> None:
    """What it means, what the device says, and the code."""
    person.open(lab.cards("lab-task", {**TASK, "device": RESORT, "task": "activate_plate", "title": "Fetch"}))
    card = _card(person, "task")
    expect(card.get_by_role("heading", name="Fetch")).to_be_visible()
    card.get_by_label("Plate").fill("nobody's plate")
    card.get_by_label("Plate").press("Enter")
    expect(card.get_by_role("button", name="Run")).to_be_enabled()  # Enter sends nothing
    card.get_by_role("button", name="Run").click()
    problem = card.get_by_role("alert")
    expect(problem).to_contain_text("nobody's plate", timeout=WITHIN)
    expect(problem.locator("code")).to_have_text(re.compile("^[a-z_]+$"))
    person.picture(results / "task-card-error.png")
    assert person.complaints == []


def test_a_task_is_cancelled(lab: CardsLab, person: Browser) -> None:
    """The servo stands before it is there, and the card says so."""
    task = {**TASK, "device": RESORT, "task": "move_to_angle"}
    person.open(lab.cards("lab-task", task))
    card = _card(person, "task")
    target = round(lab.servo.truth()["position"] + 170) % 360
    angle = card.get_by_label("Angle")
    angle.fill("400")
    card.get_by_role("button", name="Run").click()
    assert angle.evaluate("field => field.validity.rangeOverflow")
    angle.fill(str(target))
    card.get_by_role("button", name="Run").click()
    lab.servo.until_moving()
    card.get_by_role("button", name="Cancel task").click()
    expect(card.get_by_role("alert")).to_contain_text("It was cancelled.", timeout=WITHIN)
    _stands_on_its_way(lab, target)
    assert person.complaints == []


def test_a_move_is_asked_for_where_that_is_wanted(lab: CardsLab, person: Browser) -> None:
    """Escape sends nothing."""
    task = {**TASK, "device": RESORT, "task": "activate_hotel", "parameters": {"hotel": "B"}, "confirm": True}
    person.open(lab.cards("lab-task", task))
    card = _card(person, "task")
    expect(card.get_by_label("Hotel", exact=True)).to_have_value("B")
    with lab.observe() as seen:
        card.get_by_role("button", name="Run").click()
        dialog = card.get_by_role("dialog")
        expect(dialog).to_contain_text("Hotel: B")
        person.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        card.get_by_role("button", name="Run").click()
        dialog.get_by_role("button", name="Run").click()
        expect(card.get_by_text(re.compile("Activate hotel: done"))).to_be_visible(timeout=WITHIN)
        assert len(seen.heard(f"lab2mqtt/{RESORT}/command")) == 1
    assert person.complaints == []


def test_everything_works_with_a_keyboard(lab: CardsLab, person: Browser) -> None:
    """Stop, release, and a task, without a mouse; what is being typed survives what happens meanwhile."""
    person.open(lab.cards("lab-keys", STOP, {**TASK, "device": RESORT, "task": "move_to_angle"}))
    stop, task = _card(person, "stop"), _card(person, "task")
    expect(stop.get_by_text("Not stopped")).to_be_visible()
    target = _begin_turn(lab)
    stop.get_by_role("button", name="STOP", exact=True).focus()
    person.page.keyboard.press("Enter")
    _stands_on_its_way(lab, target)
    expect(stop.get_by_text("Stopped", exact=True)).to_be_visible()
    expect(stop.get_by_role("button", name="STOP", exact=True)).to_be_focused()
    person.page.keyboard.press("Tab")
    expect(stop.get_by_role("button", name="Release the stop")).to_be_focused()
    person.page.keyboard.press("Enter")
    dialog = stop.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Not now")).to_be_focused()
    person.page.keyboard.press("Tab")
    person.page.keyboard.press("Enter")
    expect(stop.get_by_text("Not stopped")).to_be_visible()

    angle = task.get_by_label("Angle")
    angle.focus()
    person.page.keyboard.type("12")
    lab.call("run_task", device=RESORT, task="set_speed", parameters={"speed": 20})
    lab.call("reserve", device=RESORT, seconds=60, holder="somebody else")
    expect(task.get_by_text("Reserved", exact=True)).to_be_visible()
    expect(angle).to_be_focused()
    expect(angle).to_have_value("12")
    person.page.keyboard.type("3")
    person.page.keyboard.press("Tab")
    expect(task.get_by_role("button", name="Run")).to_be_focused()
    person.page.keyboard.press("Space")
    expect(task.get_by_role("alert")).to_contain_text("somebody else", timeout=WITHIN)
    expect(task.locator("code")).to_have_text("reserved")
    lab.call("release", device=RESORT, holder="somebody else")
    assert person.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_all_of_it(lab: CardsLab, results: Path, dark: bool) -> None:  # noqa: FBT001
    """Nothing is cut off at the side, a finger hits every button, and the text can be read."""
    address = lab.cards("lab-phone", STOP, {**TASK, "device": OT2, "task": "mix_color"}, DEVICES)
    with browser(lab.hub.url, size=PHONE, dark=dark) as tab:
        tab.open(address)
        expect(_card(tab, "task").get_by_label("Well")).to_be_visible()
        expect(_card(tab, "devices").get_by_text("All devices are ready")).to_be_visible()
        for kind in ("stop", "task", "devices"):
            found = _card(tab, kind).evaluate(_MEASURE)
            assert found["over"] == [], found
            assert all(height >= 44 for height in found["heights"]), found
            assert found["contrast"] >= 4.5, found
        tab.picture(results / f"cards-phone-{'dark' if dark else 'light'}.png")
        assert tab.complaints == []


def test_the_cards_speak_german(lab: CardsLab) -> None:
    """As the person has chosen in the profile."""
    lab.hub.ws("frontend/set_user_data", key="language", value={"language": "de"})
    try:
        with browser(lab.hub.url) as tab:
            tab.open(lab.cards("lab-german", STOP, {**TASK, "device": RESORT}))
            expect(_card(tab, "stop").get_by_role("button", name="STOPP")).to_be_visible()
            expect(_card(tab, "stop").get_by_text("Nicht gestoppt")).to_be_visible()
            expect(_card(tab, "task").get_by_role("button", name="Ausführen")).to_be_visible()
            assert tab.complaints == []
    finally:
        lab.hub.ws("frontend/set_user_data", key="language", value={"language": "en"})


def test_a_dashboard_lays_the_lab_out(lab: CardsLab, person: Browser, results: Path) -> None:
    """Areas, what runs, a device's own view with its task, and the health of the bridge."""
    person.page.set_viewport_size({"width": 1400, "height": 1250})
    person.open(lab.dashboard("lab-all", {"strategy": {"type": "custom:lab2mqtt"}}))
    for area in ("Cold room", "Wet lab"):
        expect(person.page.get_by_role("heading", name=area)).to_be_visible()
    expect(person.page.get_by_text("All devices are ready, and nothing runs.")).to_be_visible()
    person.picture(results / "lab-dashboard.png")
    _begin_turn(lab)
    row = _card(person, "devices").get_by_role("link", name="Plate resort")
    expect(row).to_contain_text("Busy")
    expect(row).to_contain_text("Move to angle")
    row.click()
    expect(_card(person, "plate-resort")).to_be_visible()
    expect(_card(person, "task").get_by_label("Task", exact=True)).to_be_visible()
    assert person.page.url.endswith("/lab-all/device-plate-resort")
    person.picture(results / "lab-dashboard-device.png")
    _card(person, "stop").get_by_role("button", name="STOP", exact=True).click()
    lab.servo.until_still()
    person.open("/lab-all/health")
    expect(person.page.get_by_role("heading", name="bench-pi")).to_be_visible()
    assert person.complaints == []


def test_a_lab_without_devices_says_what_to_do(lab: CardsLab, person: Browser) -> None:
    """And one device that comes appears by itself."""
    entry = lab.add_entry("quiet")
    try:
        person.open(lab.dashboard("lab-quiet", {"strategy": {"type": "custom:lab2mqtt", "lab": "quiet"}}))
        expect(person.page.get_by_role("heading", name="No devices yet")).to_be_visible()
        expect(_card(person, "stop").get_by_text("Lab quiet")).to_be_visible()
        assert person.complaints == []
    finally:
        lab.hub.request("DELETE", f"/api/config/config_entries/entry/{entry}")
