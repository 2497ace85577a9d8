"""Texts for people: how a wrong value is shown, and what was probably meant."""

from collections.abc import Iterable
import json

_LONGEST = 60


def show(value: object) -> str:
    """A value as it stood in the message or file, shortened: ``'Z'``, ``true``, ``[1, 2]``."""
    if isinstance(value, str):
        text = repr(value)
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def near(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'hotel'?)`` where one of the known words is near, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
