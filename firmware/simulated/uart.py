"""Stands in for ``machine.UART``: a balance is wired to it, see ``balances.py``.

Where the transmitting pin is called ``player_tx``, it is the player, see ``dfplayer.py``.
"""

import time


class UART:
    """A serial line, as of MicroPython's ``machine``."""

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **named):  # noqa: A002 - as the board calls it
        del id
        self._kept = b""
        self._wait = 0
        self._other = None
        self.init(baudrate, bits, parity, stop, **named)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, **named):
        """Set it up; of what is named, ``timeout`` is how long a read waits for its first byte, in ms."""
        if bits not in (5, 6, 7, 8) or parity not in (None, 0, 1) or stop not in (1, 2):
            raise ValueError("invalid bits, parity or stop")
        for name in named:
            if name not in ("tx", "rx", "txbuf", "rxbuf", "timeout", "timeout_char"):
                raise TypeError("unexpected keyword argument '%s'" % name)
        self._wait = named.get("timeout", 0)
        self._most = named.get("rxbuf", 256)
        if getattr(named.get("tx"), "name", None) == "player_tx":
            from dfplayer import DfPlayer

            self._other = DfPlayer()
            return
        from balances import Balance

        self._other = Balance(baudrate)

    def deinit(self):
        """Turn it off."""

    def any(self):
        """How many bytes can be read at once."""
        # What does not fit into the buffer is lost, as on the board.
        self._kept = (self._kept + self._other.sends())[: self._most]
        return len(self._kept)

    def read(self, nbytes=None):
        """What came, at most so many bytes; None: nothing did."""
        self._await()
        size = len(self._kept) if nbytes is None else nbytes
        told, self._kept = self._kept[:size], self._kept[size:]
        return told or None

    def readinto(self, buf, nbytes=None):
        """What came, into a buffer; how much."""
        told = self.read(len(buf) if nbytes is None else nbytes)
        if told is None:
            return None
        buf[: len(told)] = told
        return len(told)

    def readline(self):
        """A line with its end, or what there is of one."""
        self._await()
        end = self._kept.find(b"\n")
        return self.read(end + 1 if end >= 0 else None)

    def write(self, buf):
        """Send bytes."""
        self._other.hears(bytes(buf))
        return len(buf)

    def flush(self):
        """All has been sent."""

    def _await(self):
        began = time.ticks_ms()
        while not self.any() and time.ticks_diff(time.ticks_ms(), began) < self._wait:
            time.sleep_ms(1)
