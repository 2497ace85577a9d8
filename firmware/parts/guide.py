"""The tasks by which many boards are known: ``read_sensor``, ``control_led``, ``move_servo`` and more.

``get_device_status`` is the board's own.
"""

from labboard import clock
from labboard.tasks import Task

_LED = 25  # as people call the LED of a Pico W, which is wired to its Wi-Fi chip


def add(board, voltages=None, leds=None, servos=None, climate=None):
    """Add parts to a board, with these tasks in the place of their own; they take only pins that are wired.

    Args:
        board: The board.
        voltages: Pin → ``Voltage``.
        leds: Pin → ``Led``; 25 for ``LED``.
        servos: Pin → ``Servo``.
        climate: The ``Climate``.
    """
    voltages = voltages or {}
    leds = {_LED if pin == "LED" else pin: led for pin, led in (leds or {}).items()}
    servos = servos or {}
    _take_over(leds, "control_led")
    _take_over(servos, "move_servo")
    for parts in (voltages, leds, servos):
        for pin in sorted(parts):
            board.add(parts[pin])
    if climate:
        task = Task("read_environmental_sensors", climate.measure, effect="read")
        task.description = "Measure temperature and humidity of the air."
        task.returns = "temperature (°C), humidity (% relative)"
        climate.tasks = (task,)
        board.add(climate)

    def read_sensor(sensor_pin):
        raw, voltage = voltages[sensor_pin].measure()
        return {
            "sensor_pin": sensor_pin,
            "raw_value": raw,
            "voltage": round(voltage, 4),
            "timestamp": clock.now(),
        }

    def control_led(pin, state):
        leds[pin].switch(state)
        return "LED on pin %d is %s" % (pin, "on" if state else "off")

    async def move_servo(pin, angle):
        await servos[pin].move(angle)
        return "servo on pin %d was driven to %g °" % (pin, angle)

    if voltages:
        task = Task("read_sensor", read_sensor, {"sensor_pin": _one_of(voltages)}, "read")
        task.description = "Measure the voltage at a pin."
        task.returns = "sensor_pin, raw_value (0 to 65535), voltage (V), timestamp (s since 1970)"
        board.add_task(task)
    if leds:
        parameters = {"pin": _one_of(leds), "state": {"type": "boolean"}}
        board.add_task(Task("control_led", control_led, parameters, description="Switch an LED."))
    if servos:
        angle = {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"}
        parameters = {"pin": _one_of(servos), "angle": angle}
        board.add_task(
            Task("move_servo", move_servo, parameters, "move", description="Turn a servo to an angle.")
        )


def _one_of(parts):
    return {"type": "integer", "enum": sorted(parts)}


def _take_over(parts, task):
    """Let these parts be commanded by this task alone."""
    for pin, part in parts.items():
        part.tasks = ()
        for entity in part.entities.values():
            entity["task"] = task
            entity["parameters"] = {"pin": pin}
