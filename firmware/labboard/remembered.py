"""The last commands by their ids, with their answers: so that none is done twice."""

import hashlib

from micropython import const

IDS = 16
_BYTES = const(3072)  # of all answers; a spectrum more or less must not be what a board dies of
_ACTED, _REFUSED, _READS = const(0), const(1), const(2)
_MARK = const(6)  # bytes by which an id is known again
_MARKS = const(384)  # bytes: 64 ids
_GONE = b"!"  # the answer was too long to be kept for so long


class Remembered:
    """The last commands, the oldest first."""

    def __init__(self):
        self._past = b""  # marks of what was done before that, by which it is at least not done again
        self._known = []  # [id, digest, acted, refused or reads, answer or None while it runs]

    def find(self, request_id):
        """What is known of an id: [id, digest of the content, what it did, answer or None], or None."""
        for one in self._known:
            if one[0] == request_id:
                return one
        return None

    def note(self, request_id, content):
        """A new command came."""
        if len(self._known) >= IDS:
            # A flood of refusals, or somebody who asks every second, must not push out what was done.
            idle = [one for one in self._known if one[2] != _ACTED and one[3] is not None]
            for one in idle if len(idle) > IDS // 2 else self._known:
                if one[3] is not None:  # what runs still needs its place
                    self._known.remove(one)
                    if one[2] == _ACTED:
                        self._past = (self._past + _mark(one[0]))[-_MARKS:]
                    break
        self._known.append([request_id, content, _REFUSED, None])

    def was_done(self, request_id):
        """Whether a command that is not known any more did something."""
        return _mark(request_id) in self._past

    def acts(self, request_id):
        """That command begins to do something: it must not be done again."""
        self.find(request_id)[2] = _ACTED

    def reads(self, request_id):
        """That command changes nothing: it may be forgotten first."""
        self.find(request_id)[2] = _READS

    def answer(self, request_id, payload):
        """Keep the answer of a command."""
        one = self.find(request_id)
        if one is None:
            return
        if one[2] == _READS and len(payload) > _BYTES // 2:
            self._known.remove(one)  # rather than the answers of what was done
            return
        one[3] = payload
        spare = _BYTES
        for each in self._known:
            spare -= len(each[3] or b"")
        # Of what only reads nothing need be known; of the rest at least that it was done.
        for what in (_READS, _REFUSED, _ACTED) if spare < 0 else ():
            for each in [each for each in self._known if each[2] == what]:
                if spare < 0 and each is not one and each[3] is not None:
                    spare += len(each[3])
                    if what == _READS:
                        self._known.remove(each)
                    else:
                        each[3] = _GONE

    def forget_reads(self):
        """Memory is short: of what only read nothing need be known."""
        self._known = [one for one in self._known if one[2] != _READS or one[3] is None]

    def forget(self, request_id):
        """A command that may be done again."""
        one = self.find(request_id)
        if one:
            self._known.remove(one)


def _mark(request_id):
    return hashlib.sha256(request_id.encode()).digest()[:_MARK]


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
