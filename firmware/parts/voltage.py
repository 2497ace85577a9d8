"""A voltage at an analog input."""

from labboard.part import Part


class Voltage(Part):
    """A voltage, 0 to 3.3 V: the mean of some readings, in V.

    More than 3.3 V destroys the chip: put a divider before it.
    """

    def __init__(self, adc, key="voltage", name="Voltage", samples=16, reference=3.3):
        """Take an analog input.

        Args:
            adc: The ``machine.ADC``.
            key: Of its value in the state.
            name: For people.
            samples: Readings for one value; 16 make a quarter of the noise of one.
            reference: The voltage of the full scale, in V.
        """
        self._adc = adc
        self._key = key
        self._samples = samples
        self._reference = reference
        self.entities = {
            key: {
                "platform": "sensor",
                "name": name,
                "device_class": "voltage",
                "unit": "V",
                "state_class": "measurement",
                "precision": 3,
            }
        }

    def measure(self):
        """The mean of some readings: 0 to 65535, and V."""
        total = 0
        for _ in range(self._samples):
            total += self._adc.read_u16()
        raw = (total + self._samples // 2) // self._samples
        return raw, raw * self._reference / 65535

    def read(self):
        """The voltage, to the millivolt."""
        return {self._key: round(self.measure()[1], 3)}
