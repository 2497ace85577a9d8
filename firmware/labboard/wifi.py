"""The board's Wi-Fi: joined when it is down, otherwise left alone."""

import asyncio
import sys

from micropython import const
import network

_JOIN = const(20)  # s
_LOOK = const(100)  # ms
_NAME = const(32)  # characters of a host name
_REASONS = (  # by the names that the ports have for them
    ("STAT_WRONG_PASSWORD", "the password is wrong"),
    ("STAT_NO_AP_FOUND", "there is no such network"),
    ("STAT_CONNECT_FAIL", "the access point refuses us"),
    ("STAT_ASSOC_FAIL", "the access point refuses us"),
    ("STAT_HANDSHAKE_TIMEOUT", "the access point refuses us, or the password is wrong"),
)


class WiFi:
    """The way to the broker.

    Args:
        settings: ``ssid``, ``wifi_password``, ``wifi`` (``country``), ``device_id``: the host name.
    """

    def __init__(self, settings):
        self._ssid = settings.get("ssid", "")
        self._password = settings.get("wifi_password", "")
        self._country = settings.get("wifi", {}).get("country", "")
        self._name = settings["device_id"].replace("_", "-")[:_NAME]
        self._station = network.WLAN(network.STA_IF)

    async def ensure(self):
        """Join the network if we are not in it.

        Switching the radio on blocks the loop, on a Pico W for about half a second.

        Raises:
            OSError: It could not be joined within 20 s; the text says why.
        """
        station = self._station
        if station.isconnected():
            return
        if not station.active():
            if self._country:
                network.country(self._country)
            network.hostname(self._name)
            station.active(1)
            if sys.platform == "rp2":
                station.config(pm=0xA11140)  # no sleep between beacons: answers would take 100 ms longer
        else:
            station.disconnect()  # what the driver still tries
        try:
            station.connect(self._ssid, self._password)
            for _ in range(_JOIN * 1000 // _LOOK):
                await asyncio.sleep_ms(_LOOK)
                if station.isconnected():
                    return
            raise OSError("Wi-Fi %r: %s" % (self._ssid, _reason(station.status())))
        except BaseException:
            station.disconnect()
            raise

    def rssi(self):
        """How strongly we hear the access point, in dBm; None where we do not."""
        try:
            return self._station.status("rssi") if self._station.isconnected() else None
        except (OSError, ValueError):
            return None


def _reason(status):
    for name, words in _REASONS:
        if getattr(network, name, None) == status:
            return words
    return "not joined within %d s (status %s)" % (_JOIN, status)
