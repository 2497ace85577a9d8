"""The last commands by their ids, with their answers: so that none is done twice."""

import hashlib

from micropython import const

IDS = 16
_BYTES = const(6144)  # of all answers; a spectrum more or less must not be what a board dies of
_GONE = b"!"  # the answer was too long to be kept for so long


class Remembered:
    """The last commands, the oldest first."""

    def __init__(self):
        self._known = []  # [id, digest, only reads, answer or None while it runs]

    def find(self, request_id):
        """What is known of an id: [id, digest of the content, whether it reads, answer or None], or None."""
        for one in self._known:
            if one[0] == request_id:
                return one
        return None

    def note(self, request_id, content):
        """A new command came."""
        if len(self._known) >= IDS:
            for place, one in enumerate(self._known):
                if one[3] is not None:  # what runs still needs its place
                    del self._known[place]
                    break
        self._known.append([request_id, content, False, None])

    def reads(self, request_id):
        """That command changes nothing: it may be forgotten first."""
        self.find(request_id)[2] = True

    def answer(self, request_id, payload):
        """Keep the answer of a command."""
        one = self.find(request_id)
        if one is None:
            return
        one[3] = payload
        spare = _BYTES
        for each in self._known:
            spare -= len(each[3] or b"")
        # Of what only reads nothing need be known; of the rest at least that it was done.
        for each in [each for each in self._known if each[2]] if spare < 0 else ():
            if spare < 0 and each is not one and each[3] is not None:
                spare += len(each[3])
                self._known.remove(each)
        for each in list(self._known) if spare < 0 else ():
            if spare < 0 and each is not one and each[3] is not None:
                spare += len(each[3])
                each[3] = _GONE

    def forget(self, request_id):
        """A command that may be done again."""
        one = self.find(request_id)
        if one:
            self._known.remove(one)


def is_gone(payload):
    """Whether an answer could not be kept."""
    return payload == _GONE


def replayed(payload):
    """A kept answer, to be said again."""
    return payload[:-1] + b',"replayed":true}'


def content(command):
    """A digest of what a command asks for; equal where ``wire.same_content`` says the same."""
    digest = hashlib.sha256(command["task"].encode())
    _add(digest, command["parameters"])
    return digest.digest()[:12]


def _add(digest, value):
    """Take in a value: 1 and 1.0 are the same number, true is none, the order of keys is nothing."""
    if isinstance(value, dict):
        digest.update(b"{%d" % len(value))
        for key in sorted(value):
            _add(digest, key)
            _add(digest, value[key])
    elif isinstance(value, list):
        digest.update(b"[%d" % len(value))
        for item in value:
            _add(digest, item)
    elif isinstance(value, str):
        text = value.encode()
        digest.update(b'"%d:' % len(text))
        digest.update(text)
    elif isinstance(value, float) and value == int(value):
        digest.update(b"%d," % int(value))
    else:  # a number, true, false or null
        digest.update(repr(value).encode() + b",")
