"""Which device classes Home Assistant knows, and with which units: what it would refuse is left out before.

Those that the oldest and the newest release that we support have in common. tests/hub asks both.
"""


def _words(told: str) -> frozenset[str]:
    return frozenset(told.split(", ")) if told else frozenset()


# Class of a sensor → the units that it may have; those without one are no measured numbers.
SENSOR_UNITS: dict[str, frozenset[str]] = {
    name: _words(units)
    for name, units in {
        "apparent_power": "VA",
        "aqi": "",
        "area": "ac, cm², ft², ha, in², km², mi², mm², m², yd²",
        "atmospheric_pressure": "Pa, bar, cbar, hPa, inHg, kPa, mbar, mmHg, psi",
        "battery": "%",
        "blood_glucose_concentration": "mg/dL, mmol/L",
        "carbon_dioxide": "ppm",
        "carbon_monoxide": "ppm",
        "conductivity": "S/cm, mS/cm, µS/cm",
        "current": "A, mA",
        "data_rate": "B/s, GB/s, Gbit/s, GiB/s, KiB/s, MB/s, Mbit/s, MiB/s, bit/s, kB/s, kbit/s",
        "data_size": "B, GB, Gbit, GiB, KiB, MB, Mbit, MiB, PB, PiB, TB, TiB, bit, kB, kbit",
        "date": "",
        "distance": "cm, ft, in, km, m, mi, mm, nmi, yd",
        "duration": "d, h, min, ms, s",
        "energy": "GJ, GWh, Gcal, J, MJ, MWh, Mcal, TWh, Wh, cal, kJ, kWh, kcal, mWh",
        "energy_distance": "kWh/100km, km/kWh, mi/kWh",
        "energy_storage": "GJ, GWh, Gcal, J, MJ, MWh, Mcal, TWh, Wh, cal, kJ, kWh, kcal, mWh",
        "enum": "",
        "frequency": "GHz, Hz, MHz, kHz",
        "gas": "CCF, ft³, m³",
        "humidity": "%",
        "illuminance": "lx",
        "irradiance": "BTU/(h⋅ft²), W/m²",
        "moisture": "%",
        "monetary": "",
        "nitrogen_dioxide": "µg/m³",
        "nitrogen_monoxide": "µg/m³",
        "nitrous_oxide": "µg/m³",
        "ozone": "µg/m³",
        "ph": "",
        "pm1": "µg/m³",
        "pm10": "µg/m³",
        "pm25": "µg/m³",
        "power": "GW, MW, TW, W, kW, mW",
        "power_factor": "%",
        "precipitation": "cm, in, mm",
        "precipitation_intensity": "in/d, in/h, mm/d, mm/h",
        "pressure": "Pa, bar, cbar, hPa, inHg, kPa, mbar, mmHg, psi",
        "reactive_power": "var",
        "signal_strength": "dB, dBm",
        "sound_pressure": "dB, dBA",
        "speed": "Beaufort, ft/s, in/d, in/h, in/s, km/h, kn, m/s, mm/d, mm/h, mm/s, mph",
        "sulphur_dioxide": "µg/m³",
        "temperature": "K, °C, °F",
        "timestamp": "",
        "volatile_organic_compounds": "µg/m³",
        "volatile_organic_compounds_parts": "ppb, ppm",
        "voltage": "MV, V, kV, mV, µV",
        "volume": "CCF, L, fl. oz., ft³, gal, mL, m³",
        "volume_flow_rate": "L/min, ft³/min, gal/min, mL/s, m³/h",
        "volume_storage": "CCF, L, fl. oz., ft³, gal, mL, m³",
        "water": "CCF, L, ft³, gal, m³",
        "weight": "g, kg, lb, mg, oz, st, µg",
        "wind_direction": "°",
        "wind_speed": "Beaufort, ft/s, in/s, km/h, kn, m/s, mm/s, mph",
    }.items()
}

# Classes whose values are no measurements of a moment: with the kinds of statistics that they have.
STATISTICS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("energy", "gas", "volume", "water"), frozenset({"total", "total_increasing"})),
    **dict.fromkeys(("date", "enum", "timestamp", "wind_direction"), frozenset()),
    "monetary": frozenset({"total"}),
}

CLASSES: dict[str, frozenset[str]] = {
    "sensor": frozenset(SENSOR_UNITS),
    "number": frozenset(SENSOR_UNITS) - {"date", "enum", "timestamp"},
    "binary_sensor": _words(
        "battery, battery_charging, carbon_monoxide, cold, connectivity, door, garage_door, gas, heat,"
        " light, lock, moisture, motion, moving, occupancy, opening, plug, power, presence, problem, running,"
        " safety, smoke, sound, tamper, update, vibration, window"
    ),
    "button": frozenset({"identify", "restart", "update"}),
    "event": frozenset({"button", "doorbell", "motion"}),
    "switch": frozenset({"outlet", "switch"}),
    "update": frozenset({"firmware"}),
}


def fits(platform: str, device_class: str, unit: str | None) -> bool:
    """Whether the hub takes a device class on a platform, with a unit or without one."""
    if device_class not in CLASSES.get(platform, ()):
        return False
    return platform != "sensor" or unit is None or unit in SENSOR_UNITS[device_class]
