"""What a simulated board takes past its own interface, see ``simulators.control``.

Besides faults and hands: ``{"temperature": 27}`` sets a value of the world, ``null`` lets it be as before.
Likewise ``{"world": {…}}`` sets anything that stands in it.
"""

import time
from typing import Any, Final

from lab2mqtt.simulators.board.power import Power
from lab2mqtt.simulators.board.world import DRIFTING, World
from lab2mqtt.simulators.control import Controls, Fault

CHIPS: Final = ("sht4x", "as7341", "mlx90393")
FAULTS: Final = {
    "wifi_off": Fault("the Wi-Fi is gone"),
    "ntp_off": Fault("no time server answers"),
    "hang": Fault("the program hangs where it is; its watchdog, where it has begun one, resets the board"),
    "sensor_gone": Fault(f"no chip answers on I2C; or only chip={'|'.join(CHIPS)}", {"chip": CHIPS}),
    "sensor_garbled": Fault("the checksums of the climate chip are wrong"),
    "fan_stalled": Fault("something holds the fan"),
    "balance_silent": Fault("the balance sends nothing"),
    "balance_unstable": Fault("the balance does not come to rest"),
    "thermostat": Fault("the thermostat's contact never closes, however long the heater is on"),
}
# What the world says then, in the words of firmware/simulated.
_SAYS: Final[dict[str, dict[str, Any]]] = {
    "wifi_off": {"wifi": False},
    "ntp_off": {"ntp": False},
    "sensor_gone": {"i2c": {"gone": True}},
    "sensor_garbled": {"i2c": {"bad_crc": True}},
    "fan_stalled": {"fan_stalled": True},
    "balance_silent": {"uart": {"silent": True}},
    "balance_unstable": {"uart": {"unstable": True}},
    "thermostat": {"warm": False},
}
_VALUES: Final = {
    **{name: drift.words for name, drift in DRIFTING.items()},
    "mass": "on the balance, g",
    "rssi": "of the Wi-Fi, dBm",
    "motion": "whether somebody moves before the sensor",
    "warm": "whether the thermostat's contact is closed",
}
_YES_OR_NO: Final = ("motion", "warm")
HANDS: Final = {
    "power_cycle": "the power goes off and on again",
    **{name: f"{words}; null: as before" for name, words in _VALUES.items()},
}


class Bench:
    """A board in its world, and who lays hands on it."""

    def __init__(self, power: Power, world: World) -> None:
        self._power, self._world = power, world
        self._faults: set[str] = set()
        self._gone: set[str] = set()  # chips; empty: all
        self._hangs_since = 0.0

    def controls(self) -> Controls:
        """What the control socket takes."""
        return Controls(FAULTS, HANDS, self._obey)

    def fault(self, name: str, *, on: bool, chip: str | None = None) -> None:
        """Let something fail, or work again."""
        (self._faults.add if on else self._faults.discard)(name)
        if name == "hang":
            self._hangs_since = time.monotonic()
            self._power.hang(hangs=on)
            return
        if name == "sensor_gone":
            self._gone = self._gone | {chip} if on and chip else set()
        (key,) = _SAYS[name]
        self._world.say(**{key: self._wrong(key)})

    def turn(self) -> None:
        """Let time go on: the world drifts, and a watchdog bites."""
        self._world.turn()
        limit = self._world.outputs().get("watchdog", {}).get("timeout")
        if "hang" in self._faults and limit and time.monotonic() - self._hangs_since > limit / 1000:
            self._faults.discard("hang")
            self._power.bite()

    def _wrong(self, key: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What all faults together say of one key of the world; None where none does."""
        said = [_SAYS[name][key] for name in sorted(self._faults - {"hang"}) if key in _SAYS[name]]
        if not said or not isinstance(said[0], dict):
            return said[0] if said else None
        together = {name: value for one in said for name, value in one.items()}
        if self._gone and "gone" in together:
            together["gone"] = sorted(self._gone)
        return together

    def _obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        if fault := asked.get("fault"):
            self.fault(fault, on=asked.get("on", True), chip=asked.get("chip"))
        for name in asked.keys() & _VALUES.keys():
            _check(name, asked[name])
            self._world.say(**{name: asked[name]})
        if more := asked.get("world"):
            self._world.say(**more)
        if asked.get("power_cycle"):
            self._faults.discard("hang")
            self._power.cycle()
        return self._truth()

    def _truth(self) -> dict[str, Any]:
        return {
            "faults": sorted(self._faults),
            "pid": self._power.pid,
            "starts": self._power.starts,
            "ended": self._power.ended,
            "world": self._world.truth(),
            "outputs": self._world.outputs(),
        }


def _check(name: str, value: object) -> None:
    """Refuse what a sensor cannot measure.

    Raises:
        TypeError: It is not of the right type.
    """
    yes_or_no = name in _YES_OR_NO
    if value is None or (isinstance(value, bool) if yes_or_no else type(value) in (int, float)):
        return
    raise TypeError(f"{name} {value!r} is not {'true or false' if yes_or_no else 'a number'}")
