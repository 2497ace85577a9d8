"""Texts for people: how a wrong value is shown, and what was probably meant."""

from collections.abc import Iterable
import json

_LONGEST = 60
_MANY = 24  # the wells of a plate would hide all else


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


def listed(choices: Iterable[object]) -> str:
    """Choices in a row; of many the first and the last: ``A1, A2, A3, A4, …, H12``."""
    words = [str(choice) for choice in choices]
    if len(words) > _MANY:
        words[4:-1] = ["…"]
    return ", ".join(words)


def near(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'hotel'?)`` where one of the known words is near, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
