"""A motion sensor (PIR)."""

import time

from labboard.part import Part


class Motion(Part):
    """Somebody moves: on from the first edge until ``hold`` after the last sign of it."""

    every = 100

    def __init__(self, pin, event=None, key="motion", name="Motion", hold=5, warm_up=30):
        """Take a pin.

        Args:
            pin: An input, high while the sensor sees motion.
            event: Is called with ``motion_detected`` when motion begins, such as ``board.event``.
            key: Of its value in the state.
            name: For people.
            hold: How long it says motion after the last sign, in s.
            warm_up: After power-on the sensor sees what is not there, in s; unknown until then.
        """
        self._pin = pin
        self._event = event
        self._key = key
        self._hold = int(hold * 1000)
        self._is_cold = True
        self.cold_until = time.ticks_add(time.ticks_ms(), int(warm_up * 1000))
        self._edge = None  # ticks of an edge that nobody has looked at
        self._sign = None  # ticks of the last sign; None: no motion
        self._began = False
        pin.irq(self._rises, trigger=pin.IRQ_RISING)
        self.entities = {key: {"platform": "binary_sensor", "name": name, "device_class": "motion"}}
        if event:
            self.entities[key + "_event"] = {
                "platform": "event", "name": name + " event", "icon": "mdi:motion-sensor",
                "event_types": ["motion_detected"],
            }  # fmt: skip

    def _rises(self, _pin):
        if self._edge is None:
            self._edge = time.ticks_ms()

    def began(self):
        """Whether motion began since this was asked last; each edge is a beginning, held or not."""
        self._look()
        began, self._began = self._began, False
        return began

    def read(self):
        """Whether somebody moves; null while it warms up."""
        self._look()
        return {self._key: None if self._is_cold else self._sign is not None}

    def _look(self):
        now = time.ticks_ms()
        edge, self._edge = self._edge, None
        if self._is_cold:
            if time.ticks_diff(self.cold_until, now) > 0:
                return
            self._is_cold = False
            edge = None
        if edge is not None or self._pin.value():
            if edge is not None or self._sign is None:
                self._began = True
            if self._sign is None and self._event:
                self._event("motion_detected")
            self._sign = now
        elif self._sign is not None and time.ticks_diff(now, self._sign) > self._hold:
            self._sign = None
