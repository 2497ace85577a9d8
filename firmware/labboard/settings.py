"""What a board is told: /config.json, and apart from it /secrets.json; checked as a whole.

``read`` gives one dictionary: the keys of both files on one level, ``broker``, ``wifi``, ``pins`` and
``settings`` as dictionaries in it, with a default where one is known.
"""

import wire

_TRANSPORTS = ("own", "mqtt_as")
SECRETS = ("ssid", "wifi_password", "user", "password", "update_key")


class WrongSettings(Exception):
    """The configuration cannot be used; the text names each key, its value and what is allowed."""


def read(config="/config.json", secrets="/secrets.json"):  # noqa: C901 - one list of what there is
    """Read and check both files; without secrets all of them are empty.

    Raises:
        WrongSettings: Something is wrong; everything that is stands in one text.
    """
    told = _file(config)
    wrong = []
    found = {}

    def take(key, default, fits, allowed, source=told, into=found, name=""):
        value = source.get(key)
        if value is None:
            value = default
        if not fits(value):
            wrong.append("%s %r is not %s" % (name or key, value, allowed))
        into[key] = value

    take("device_id", None, wire.is_device_id, "1 to 64 of a-z, 0-9, _ and -, a letter or digit first")
    take("name", "", _is_text, "a text")
    take("area", "", _is_text, "a text")
    take("base", wire.DEFAULT_BASE, wire.is_base, "a topic without wildcards")
    take(
        "stop_topic", wire.emergency_stop_topic(wire.DEFAULT_BASE), wire.is_base, "a topic without wildcards"
    )
    take("transport", "own", lambda value: value in _TRANSPORTS, "one of " + ", ".join(_TRANSPORTS))
    take("ntp_host", "pool.ntp.org", _is_text, "a text")
    take("keepalive", 20, _within(5, 300), "a whole number, 5 to 300 s")
    take("reset_without_link", 15, _within(0, 1440), "a whole number, 0 to 1440 min")
    take("good_after", 60, _within(1, 3600), "a whole number, 1 to 3600 s")
    take("watchdog", True, _is_truth, "true or false")
    take("simulated", False, _is_truth, "true or false")
    take("chip", "", lambda value: value in ("", "rp2", "esp32"), "one of rp2, esp32")
    for key in ("broker", "wifi", "pins", "settings"):
        take(key, {}, lambda value: isinstance(value, dict), "an object")
    if not wrong:
        broker, wifi = found["broker"], found["wifi"]
        take("host", None, _is_word, "a host's name or address", broker, broker, "broker's host")
        take("tls", False, _is_truth, "true or false", broker, broker, "broker's tls")
        port = 8883 if broker["tls"] else 1883
        take("port", port, _within(1, 65535), "a whole number, 1 to 65535", broker, broker, "broker's port")
        take("ca", "/ca.der", _is_word, "a file of the board", broker, broker, "broker's ca")
        take("country", "", _is_text, "a text", wifi, wifi, "wifi's country")
        for name, number in found["pins"].items():
            if not _within(0, 99)(number):
                wrong.append("pins' %s %r is not the number of a pin" % (name, number))
    hidden = _file(secrets, needed=False)
    for key in SECRETS:
        value = hidden.get(key)
        if value is not None and not _is_text(value):
            wrong.append("%s in %s is not a text" % (key, secrets))  # its value is nobody's business
        found[key] = value or ""
    if wrong:
        raise WrongSettings(config + ": " + "; ".join(wrong))
    return found


def _file(path, needed=True):
    try:
        with open(path, "rb") as file:
            found = wire.decode(file.read())
    except OSError:
        if needed:
            raise WrongSettings("%s is missing: a board needs at least device_id and broker" % path)
        return {}
    except wire.WireError as error:
        raise WrongSettings("%s: %s" % (path, error.message))
    if not isinstance(found, dict):
        raise WrongSettings("%s is not a JSON object" % path)
    return found


def _is_text(value):
    return isinstance(value, str)


def _is_word(value):
    return isinstance(value, str) and len(value) > 0


def _is_truth(value):
    return value is True or value is False


def _within(low, high):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
