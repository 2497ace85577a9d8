"""Somebody comes near: coffin, fog and shaker, with the real worker host and the simulated boards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import shutil
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.broker.program import Program
from tests.integration.our_blueprints import ROOT, act, last_run, make_automation, show_to
from tests.integration.waiting import meanwhile, until

from lab2mqtt.hub.mosquitto import Mosquitto

MOTION, ARMED = "binary_sensor.near", "input_boolean.armed"
PROPS = ("coffin_jumper", "fogger", "grave_shaker")
STARTS_WITHIN = 40.0  # s
# Its sensor is warm, and its solenoid has rested, at once.
QUICK = ["--set", 'motion={"hold": 5, "warm_up": 1}', "--set", 'relay={"max_on": 3, "min_off": 0.1}']


@pytest.fixture
async def inputs(
    hass: HomeAssistant, lab_entry: MockConfigEntry, broker: Mosquitto, boards: None, tmp_path: Path
) -> AsyncIterator[dict[str, Any]]:
    """Three props with their boards, armed and warm."""
    del boards
    await show_to(hass, tmp_path / "config")
    root = tmp_path / "props"
    for prop in PROPS:
        await asyncio.to_thread(shutil.copytree, ROOT / "props" / prop / "backend", root / prop / "backend")
    url = f"mqtt://127.0.0.1:{broker.port}"
    told = ["--root", str(root), "--state", str(tmp_path / "kept"), "--broker", url]
    programs = [Program(["props", *told], tmp_path / "host.log")]
    for prop in PROPS:
        settings = QUICK if prop == "coffin_jumper" else []
        firmware = str(ROOT / "props" / prop / "firmware")
        programs.append(
            Program(["simulate-board", firmware, "--broker", url, *settings], tmp_path / f"{prop}.log")
        )
    lab = lab_entry.runtime_data
    try:
        for program in programs:
            program.start()
        await until(
            hass,
            lambda: all(hass.states.is_state(f"sensor.{prop}_readiness", "ready") for prop in PROPS),
            "the props are ready",
            STARTS_WITHIN,
            lambda: [program.said()[-800:] for program in programs],
        )
        await act(hass, "run_task", device="fogger", task="warm_up")
        await until(
            hass, lambda: hass.states.is_state("sensor.fogger_state", "ready"), "it is warm", STARTS_WITHIN
        )
        await until(hass, lambda: hass.states.is_state("sensor.coffin_jumper_state", "armed"), "armed", 20)
        hass.states.async_set(MOTION, "off")
        hass.states.async_set(ARMED, "on")
        coffin, fogger, shaker = (lab.devices[prop].registry_id(hass) for prop in PROPS)
        yield {
            "motion": MOTION,
            "armed": ARMED,
            "lockout": 1,
            "coffin": coffin,
            "fogger": fogger,
            "shaker": shaker,
            "fog_seconds": 0.5,
            "fog_after": 0.1,
            "shake_after": 1,
            "shake_seconds": 0.5,
        }
    finally:
        for program in programs:
            await asyncio.to_thread(program.terminate)


def come_near(hass: HomeAssistant) -> None:
    """Somebody comes near."""
    hass.states.async_set(MOTION, "off")
    hass.states.async_set(MOTION, "on")


async def done(hass: HomeAssistant) -> list[tuple[str, str]]:
    """What the props were asked for in a sequence, and what became of it."""
    found = []
    for prop, task in zip(PROPS, ("trigger", "fog", "shake"), strict=True):
        answer = await act(hass, "get_history", device=prop, limit=100)
        found += [(task, each["status"]) for each in answer["result"]["commands"] if each["task"] == task]
    return found


async def test_sequence(hass: HomeAssistant, lab_entry: MockConfigEntry, inputs: dict[str, Any]) -> None:
    """One after the other, once; disarmed, in lockout, and for what was so before, nothing."""
    await make_automation(hass, "haunted_sequence", **inputs)
    hass.states.async_set(ARMED, "off")
    come_near(hass)
    await hass.async_block_till_done()
    hass.states.async_set(MOTION, "unavailable")
    hass.states.async_set(ARMED, "on")
    hass.states.async_set(MOTION, "on")
    await hass.async_block_till_done()
    assert lab_entry.runtime_data.runs.listed() == []
    come_near(hass)
    runs = lab_entry.runtime_data.runs
    await meanwhile(lambda: [each for each in runs.listed() if each.is_over], "the sequence has ended", 15)
    come_near(hass)  # in lockout
    assert hass.states.get("automation.haunted_sequence").attributes["current"] == 1
    await hass.async_block_till_done()
    ended = await last_run(hass)
    assert ended["begun_by"] == "automation.haunted_sequence"
    assert ended["status"] == "succeeded", ended["error"]
    assert await done(hass) == [("trigger", "success"), ("fog", "success"), ("shake", "success")]
    assert len(runs.listed()) == 1


async def test_stopped_in_the_middle(
    hass: HomeAssistant, lab_entry: MockConfigEntry, inputs: dict[str, Any]
) -> None:
    """What had not begun does not begin, neither then nor when the stop is released."""
    await make_automation(hass, "haunted_sequence", **{**inputs, "fog_after": 20})
    come_near(hass)
    runs = lab_entry.runtime_data.runs
    await meanwhile(lambda: [each for each in runs.listed() if each.step == "trigger"], "the coffin jumps")
    await act(hass, "emergency_stop")
    await meanwhile(lambda: [each for each in runs.listed() if each.is_over], "the sequence has ended")
    await act(hass, "reset_emergency_stop")
    await hass.async_block_till_done()
    assert (await last_run(hass))["status"] == "stopped"
    assert [task for task, _ in await done(hass)] == ["trigger"]
