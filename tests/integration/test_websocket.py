"""What the cards are told: everything at first, then only what has changed."""

from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.speaker import Speaker

type Message = dict[str, Any]
type Test = Callable[[Message], bool]

WITHIN = 5.0  # s


class Page:
    """What one open dashboard was told, put together as the cards do it."""

    def __init__(self, socket: Any) -> None:  # noqa: ANN401 - of the kit
        self.socket = socket
        self.messages: list[Message] = []
        self.labs: dict[str, Message] = {}
        self.devices: dict[str, Message] = {}

    async def join(self) -> None:
        """Subscribe, and hear everything."""
        await self.socket.send_json_auto_id({"type": "lab2mqtt/subscribe"})
        answer = await self.socket.receive_json()
        assert answer["success"], answer
        self.number = answer["id"]
        await self.hear(lambda message: message["kind"] == "ready")

    async def leave(self) -> None:
        """End the subscription."""
        await self.socket.send_json_auto_id({"type": "unsubscribe_events", "subscription": self.number})
        while (await self.socket.receive_json())["type"] != "result":
            pass

    async def hear(self, test: Test) -> Message:
        """Hear until a message passes a test."""
        while True:
            message: Message = (await self.socket.receive_json(timeout=WITHIN))["event"]
            self.messages.append(message)
            if message["kind"] == "lab":
                self.labs.setdefault(message["entry_id"], {}).update(message)
            elif message["kind"] == "device":
                self.devices.setdefault(message["device_id"], {}).update(message)
            elif message["kind"] == "gone" and "device_id" in message:
                del self.devices[message["device_id"]]
            elif message["kind"] == "gone":
                del self.labs[message["entry_id"]]
            if test(message):
                return message

    async def until(self, device_id: str, test: Test) -> Message:
        """Hear until what is known of a device passes a test."""
        while not (device_id in self.devices and test(self.devices[device_id])):
            await self.hear(lambda message: message.get("device_id") == device_id)
        return self.devices[device_id]


@pytest.fixture
async def page(lab_entry: MockConfigEntry, hass_ws_client: Any) -> Page:  # noqa: ANN401
    """A dashboard that has heard everything."""
    del lab_entry
    opened = Page(await hass_ws_client())
    await opened.join()
    return opened


@pytest.fixture
def open_page(hass_ws_client: Any) -> Callable[[], Awaitable[Page]]:  # noqa: ANN401
    """Opens one more."""

    async def another() -> Page:
        opened = Page(await hass_ws_client())
        await opened.join()
        return opened

    return another


async def test_a_real_resort_is_told_whole(
    hass: HomeAssistant, resort: Resort, lab_entry: MockConfigEntry, open_page: Callable[[], Awaitable[Page]]
) -> None:
    """Its tasks, state and entities, and where they are in Home Assistant; then what it does."""
    assert resort.program.pid
    page = await open_page()
    told = await page.until(RESORT, lambda now: now["readiness"] == "ready" and bool(now["entity_ids"]))
    assert (told["name"], told["device_kind"], told["bridge"]) == ("Plate resort", "plate_resort", "bench")
    assert told["simulated"]
    assert told["moves"]
    assert told["reachable"]
    assert told["tasks"]["activate_hotel"]["effect"] == "move"
    registry = dr.async_get(hass).async_get(told["registry_id"])
    assert registry is not None
    assert ("mqtt", f"lab2mqtt_{RESORT}") in registry.identifiers
    assert told["entity_ids"]["readiness"] == "sensor.plate_resort_readiness"
    assert told["entities"]["readiness"]["platform"] == "sensor"
    lab = page.labs[lab_entry.entry_id]
    assert (lab["base"], lab["title"], lab["connected"]) == ("lab2mqtt", "Lab", True)
    assert lab["bridges"]["bench"]["online"]

    called = hass.services.async_call(
        "lab2mqtt",
        "run_task",
        {"device": RESORT, "task": "activate_hotel", "parameters": {"hotel": "B"}},
        blocking=True,
        return_response=True,
    )
    task = hass.async_create_task(called)
    await page.until(RESORT, lambda now: now["state"]["task"] == "activate_hotel")
    answer = await task
    assert answer
    assert answer["ok"]
    told = await page.until(RESORT, lambda now: now["state"]["task"] is None)
    assert told["state"]["active_hotel"] == "B"
    assert told["progress"] is None


async def test_only_what_has_changed_is_told(page: Page, speaker: Speaker) -> None:
    """A new state does not bring the description again, and what is the same nothing at all."""
    await speaker.device(tasks={"wave": {"effect": "move"}})
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    await speaker.state({"angle": 7})
    message = await page.hear(lambda message: "state" in message)
    assert set(message) == {"kind", "entry_id", "device_id", "state"}
    assert message["state"]["angle"] == 7
    seen = len(page.messages)
    await speaker.state({"angle": 7, "updated_at": page.devices["gadget"]["state"]["updated_at"]})
    await speaker.state({"angle": 8})
    await page.until("gadget", lambda now: now["state"].get("angle") == 8)
    assert len(page.messages) == seen + 1


async def test_many_changes_are_told_together(page: Page, speaker: Speaker) -> None:
    """At most ten times a second, and the last one is told."""
    await speaker.device()
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    seen = len(page.messages)
    for angle in range(100):
        speaker.seen.publish("lab2mqtt/gadget/state", {"readiness": "ready", "angle": angle}, retain=True)
    await page.until("gadget", lambda now: now["state"].get("angle") == 99)
    assert len(page.messages) - seen < 20


async def test_a_device_comes_and_goes(page: Page, speaker: Speaker) -> None:
    """And one that only has a status is none yet."""
    await speaker.status("online")
    await speaker.device("other")
    await page.until("other", lambda now: now["readiness"] == "ready")
    assert "gadget" not in page.devices
    await speaker.describe(b"", "other")
    await page.hear(lambda message: message["kind"] == "gone" and message["device_id"] == "other")


async def test_the_stop_is_told(page: Page, speaker: Speaker, lab_entry: MockConfigEntry) -> None:
    """Who stopped, why, and who has not confirmed; then what is to be done."""
    await speaker.device(tasks={"wave": {"effect": "move"}})
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    await speaker.stop()
    while (stop := page.labs[lab_entry.entry_id]["stop"])["word"] != "stopping":
        await page.hear(lambda message: message["kind"] == "lab")
    assert stop["unconfirmed"] == ["Gadget"]
    assert (stop["by"], stop["reason"], stop["stop_id"]) == ("the test", "to see", "1")
    await speaker.state({"readiness": "emergency_stopped", "emergency_stop": True, "stop_confirmed": True})
    while (stop := page.labs[lab_entry.entry_id]["stop"])["word"] != "stopped":
        await page.hear(lambda message: message["kind"] == "lab")
    assert stop["unconfirmed"] == []
    await speaker.stop(engaged=False)
    while page.labs[lab_entry.entry_id]["stop"]["engaged"]:
        await page.hear(lambda message: message["kind"] == "lab")


async def test_what_a_stop_left_to_do_is_remembered(
    page: Page, speaker: Speaker, open_page: Callable[[], Awaitable[Page]]
) -> None:
    """For who comes later, until something moves again."""
    await page.leave()
    await speaker.device(tasks={"wave": {"effect": "move"}, "look": {"effect": "read"}})
    await speaker.event("emergency_stop_reset", stop_id="1", needs_homing=["arm"], look_at="the plate")
    late = await open_page()
    told = await late.until("gadget", lambda now: now["after_stop"] is not None)
    assert told["after_stop"] == {"needs_homing": ["arm"], "look_at": "the plate"}
    await speaker.event("task_succeeded", task="look", request_id="1")
    await speaker.event("task_succeeded", task="wave", request_id="2")
    await late.until("gadget", lambda now: now["after_stop"] is None)


async def test_its_place_in_home_assistant_is_told(hass: HomeAssistant, page: Page, resort: Resort) -> None:
    """The name and area that a person gives."""
    told = await page.until(RESORT, lambda now: now["registry_id"] is not None)
    del resort
    area = ar.async_get(hass).async_create("Wet lab")
    dr.async_get(hass).async_update_device(told["registry_id"], name_by_user="Hotel", area_id=area.id)
    await page.until(RESORT, lambda now: (now["name"], now["area"]) == ("Hotel", "Wet lab"))
    ar.async_get(hass).async_update(area.id, name="Dry lab")
    await page.until(RESORT, lambda now: now["area"] == "Dry lab")


async def test_a_number_that_is_too_long_breaks_nothing(page: Page, speaker: Speaker) -> None:
    """The protocol lets it have 300 digits."""
    await speaker.device(state={"count": 10**60, "exact": 2**53 - 1})
    told = await page.until("gadget", lambda now: "count" in now["state"])
    assert told["state"]["count"] == 1e60
    assert told["state"]["exact"] == 2**53 - 1


async def test_a_lab_goes_and_comes_back(
    hass: HomeAssistant, page: Page, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """As when its entry is reloaded, while a dashboard is open; another listener is told the same."""
    await speaker.device()
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    await hass.config_entries.async_reload(lab_entry.entry_id)
    await page.hear(lambda message: message["kind"] == "gone" and "device_id" not in message)
    await page.hear(lambda message: message["kind"] == "lab")
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    assert set(page.labs) == {lab_entry.entry_id}


async def test_two_pages_are_told_the_same(
    page: Page, speaker: Speaker, open_page: Callable[[], Awaitable[Page]]
) -> None:
    """And one that leaves is told nothing more."""
    await speaker.device()
    other = await open_page()
    await other.until("gadget", lambda now: now["readiness"] == "ready")
    await page.until("gadget", lambda now: now["readiness"] == "ready")
    assert page.devices == other.devices
    await page.leave()
    await speaker.state({"angle": 1})
    await other.until("gadget", lambda now: now["state"].get("angle") == 1)
    await page.socket.send_json_auto_id({"type": "ping"})
    assert (await page.socket.receive_json())["type"] == "pong"
