"""A person uses the cards of an OT-2 and of a plate resort, in a Home Assistant with our integration."""

from collections.abc import Iterator
import re

from playwright.sync_api import Page, expect
import pytest
from tests.broker.observer import Observer, until
from tests.e2e.browser import Browser, browser, find_chromium
from tests.e2e.cards_lab import OT2, RESORT, CardsLab

from lab2mqtt.hub import environments, mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(240)

WITHIN = 20_000  # ms
PAGE = "device-cards"
DECK = {"type": "custom:lab2mqtt-deck-card", "device": OT2}
CAROUSEL = {"type": "custom:lab2mqtt-plate-resort-card", "device": RESORT}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CardsLab]:
    """The lab with a dashboard of both cards."""
    if not find_chromium():
        pytest.skip("no Chromium on PATH; on Debian: apt-get install chromium")
    try:
        venv = environments.install(environments.NEWEST.version, print)
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        pytest.skip(str(error))
    with Mosquitto(program) as broker, CardsLab(venv, broker, tmp_path_factory.mktemp("lab")) as running:
        running.cards(PAGE, DECK, CAROUSEL)
        yield running


@pytest.fixture
def seen(lab: CardsLab) -> Iterator[Observer]:
    """All that is said."""
    with lab.observe() as observer:
        yield observer


@pytest.fixture
def person(lab: CardsLab) -> Iterator[Browser]:
    """Somebody who looks at the dashboard."""
    with browser(lab.hub.url, size=(1280, 1400)) as tab:
        tab.open(f"/{PAGE}")
        tab.page.locator("lab2mqtt-plate-resort-card .carousel").wait_for(timeout=WITHIN)
        yield tab


# The tables of words that the page has loaded, as [file, table, language, key → names that are filled in].
_WORDS = """async () => {
  const loaded = performance.getEntriesByType("resource").map((one) => one.name);
  const files = loaded.filter((one) => one.endsWith("-words.js"));
  const found = [];
  for (const file of new Set(files)) {
    for (const [table, languages] of Object.entries(await import(file))) {
      for (const [language, texts] of Object.entries(languages)) {
        const names = (text) => [...text.matchAll(/\\{(\\w+)\\}/g)].map((one) => one[1]).sort();
        found.push([file.split("/").at(-1), table, language,
          Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, names(text)]))]);
      }
    }
  }
  return found;
}"""


def confirm(page: Page, button: str) -> None:
    """Press a button, and the button of the same name in the dialog that asks."""
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_well_is_filled_from_the_deck(seen: Observer, person: Browser) -> None:
    """A tap on a well opens it, a task has it filled in, and the run is to be seen to its end."""
    page, deck = person.page, person.page.locator("lab2mqtt-deck-card")
    deck.get_by_role("button", name=re.compile("Slot 1, ")).click()
    wells = deck.get_by_role("grid")
    well = wells.get_by_role("gridcell", name=re.compile("^B2: "))
    well.click()
    expect(well).to_have_attribute("aria-selected", "true")
    expect(deck).to_contain_text("B2 · empty")
    deck.get_by_role("button", name="Mix color", exact=True).click()
    form = page.locator("lab2mqtt-task-card")
    expect(form.get_by_label("Well")).to_have_value("B2")
    for name, volume in (("R", "60"), ("Y", "40"), ("B", "0")):
        form.get_by_label(name, exact=True).fill(volume)
    form.get_by_role("button", name="Run", exact=True).click()
    page.locator("dialog.task").get_by_role("button", name="Close", exact=True).click()
    bar = deck.get_by_role("progressbar", name="Mix color")
    bar.wait_for(timeout=WITHIN)
    expect(deck).to_contain_text(re.compile(r"step \d+ of 15"), timeout=WITHIN)
    expect(deck.get_by_text("100 µL: Red 60, Yellow 40")).to_be_visible(timeout=WITHIN)
    seen.wait(f"lab2mqtt/{OT2}/state", lambda now: now["task"] is None and now["wells_used"] == 1)
    assert person.complaints == []


def test_the_wells_are_walked_with_the_arrow_keys(person: Browser) -> None:
    """From the deck into the plate and about in it, and out with Escape; no mouse is needed."""
    page, deck = person.page, person.page.locator("lab2mqtt-deck-card")
    plate = deck.get_by_role("button", name=re.compile("Slot 1, "))
    plate.focus()
    page.keyboard.press("Enter")
    deck.get_by_role("gridcell", name=re.compile("^A1: ")).focus()
    for key in ("ArrowRight", "ArrowDown", "End", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(deck.get_by_role("gridcell", name=re.compile("^A12: "))).to_be_focused()
    expect(deck).to_contain_text("A12 · empty")
    page.keyboard.press("Escape")
    expect(deck.get_by_role("grid")).to_have_count(0)
    expect(plate).to_be_focused()


def test_a_run_is_paused_and_stopped_on_the_card(seen: Observer, person: Browser) -> None:
    """Pause at once; what moves again, and what drops the tip, asks first."""
    deck = person.page.locator("lab2mqtt-deck-card")
    seen.publish(
        f"lab2mqtt/{OT2}/command",
        {
            "task": "mix_color",
            "parameters": {"R": 100, "Y": 100, "B": 100, "well": "H12"},
            "request_id": "r-1",
        },
    )
    deck.get_by_role("button", name="Pause", exact=True).click(timeout=WITHIN)
    seen.wait(f"lab2mqtt/{OT2}/state", lambda now: now["readiness"] == "paused")
    expect(deck).to_contain_text("Paused", timeout=WITHIN)
    deck.get_by_role("button", name="Resume", exact=True).click()
    person.page.locator("dialog").get_by_role("button", name="Not now", exact=True).click()
    assert seen.last(f"lab2mqtt/{OT2}/state")["readiness"] == "paused"
    confirm(person.page, "Stop run")
    seen.wait(f"lab2mqtt/{OT2}/state", lambda now: now["task"] is None)
    expect(deck.get_by_role("progressbar")).to_have_count(0, timeout=WITHIN)


def test_a_hotel_is_turned_to_the_opening(lab: CardsLab, seen: Observer, person: Browser) -> None:
    """Tapped, turned, and told; a plate that was noted is fetched by its name."""
    card = person.page.locator("lab2mqtt-plate-resort-card")
    card.get_by_role("button", name=re.compile("^Hotel B, 0 plates")).click()
    card.get_by_role("button", name="Turn hotel B to the opening").click()
    expect(card).to_contain_text("Turning", timeout=WITHIN)
    expect(card).to_contain_text("Hotel B faces the opening", timeout=WITHIN)
    assert abs(lab.servo.truth()["position"] - 109) <= 0.5
    card.get_by_role("button", name="Room 3: empty. Note a plate.").click()
    form = person.page.locator("lab2mqtt-task-card")
    form.get_by_label("Plate").fill("MTP-0007")
    form.get_by_role("button", name="Run", exact=True).click()
    seen.wait(
        f"lab2mqtt/{RESORT}/state",
        lambda now: now["hotels"] is not None and now["hotels"]["B"]["plates"] == {"3": "MTP-0007"},
    )
    person.page.locator("dialog.task").get_by_role("button", name="Close", exact=True).click()
    expect(card.get_by_role("button", name=re.compile("^Hotel B, 1 plate,"))).to_be_visible(timeout=WITHIN)
    card.get_by_role("button", name="Turn hotel B to the opening").wait_for(state="detached", timeout=WITHIN)
    card.get_by_role("button", name=re.compile("^Hotel A, ")).click()
    card.get_by_role("button", name="Turn hotel A to the opening").click()
    expect(card).to_contain_text("Hotel A faces the opening", timeout=WITHIN)
    card.get_by_role("button", name="Close", exact=True).click()
    card.get_by_role("button", name="Fetch plate MTP-0007: turn its hotel to the opening").click()
    person.page.locator("dialog").get_by_role("button", name="Fetch", exact=True).click()
    expect(card).to_contain_text("Hotel B faces the opening", timeout=WITHIN)
    assert person.complaints == []


def test_what_is_reserved_says_so_and_the_stop_needs_no_second_tap(
    lab: CardsLab, seen: Observer, person: Browser
) -> None:
    """The holder's name stands on the card, and nothing but the stop can be pressed."""
    card = person.page.locator("lab2mqtt-plate-resort-card")
    state = f"lab2mqtt/{RESORT}/state"
    reserve = {"task": "reserve", "parameters": {"holder": "Bob", "seconds": 600}, "request_id": "r-2"}
    seen.publish(f"lab2mqtt/{RESORT}/command", reserve)
    expect(card).to_contain_text("Bob", timeout=WITHIN)
    card.get_by_role("button", name=re.compile("^Hotel D, ")).click()
    expect(card.get_by_role("button", name="Turn hotel D to the opening")).to_be_disabled()
    card.get_by_role("button", name="Stop now", exact=True).click()
    seen.wait(state, lambda now: now["emergency_stop"] is True)
    confirm(person.page, "Release stop")
    seen.wait(state, lambda now: now["emergency_stop"] is False)
    seen.publish(
        f"lab2mqtt/{RESORT}/command",
        {"task": "release", "parameters": {"holder": "Bob"}, "request_id": "r-3"},
    )
    until(lambda: lab.servo.truth()["torque"] is False, "the servo is loose")


def test_every_text_is_there_in_english_and_german(person: Browser) -> None:
    """With the same names to fill in, in the words of every card."""
    texts: dict[tuple[str, str], dict[str, dict[str, list[str]]]] = {}
    for file, table, language, keys in person.page.evaluate(_WORDS):
        texts.setdefault((file, table), {})[language] = keys
    assert {"deck-words.js", "plate-resort-words.js", "device-words.js"} <= {file for file, _ in texts}
    for languages in texts.values():
        assert set(languages) == {"en", "de"}
        assert languages["en"] == languages["de"]
