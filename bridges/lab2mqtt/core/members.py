"""The members of an object that somebody else wrote: each is of its type, or the text says what is wrong."""

from collections.abc import Mapping
import re
from typing import Any, Never

from lab2mqtt.core.words import show

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Misfit(ValueError):
    """It cannot be used; the text says where, what was wrong, and what would be right."""


class Members:
    """One object. ``null`` is the same as a member that is not there.

    Attributes:
        told: The object.
        where: Where it stands, for people: ``entities.lamp``.
    """

    def __init__(self, told: Mapping[str, Any], where: str = "") -> None:
        self.told = told
        self.where = where

    def wrong(self, key: str, allowed: str) -> Never:
        """Refuse a member.

        Raises:
            Misfit: Always.
        """
        where = f"{self.where}.{key}" if self.where else key
        value = self.told.get(key)
        if value is None:
            raise Misfit(f"{where} is missing; it is {allowed}")
        raise Misfit(f"{where} {show(value)} is not {allowed}")

    def has(self, key: str) -> bool:
        """Whether a member is there."""
        return self.told.get(key) is not None

    def text(self, key: str, longest: int, *, needed: bool = False) -> str:
        """A text without control characters; empty where there is none.

        Args:
            key: The member.
            longest: How many characters it may have.
            needed: Whether it must be there, and not be empty.

        Raises:
            Misfit: It is something else.
        """
        value = self.told.get(key)
        value = "" if value is None else value
        fits = isinstance(value, str) and len(value) <= longest and not _UNPRINTABLE.search(value)
        if not fits or (needed and not value.strip()):
            self.wrong(key, f"a text of at most {longest} printable characters")
        return value

    def word(self, key: str, fits: re.Pattern[str], what: str) -> str:
        """A text that has a form.

        Raises:
            Misfit: It is missing, or something else.
        """
        value = self.told.get(key)
        if not isinstance(value, str) or not fits.fullmatch(value):
            self.wrong(key, what)
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where there is none.

        Raises:
            Misfit: It is something else.
        """
        value = self.told.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, "true or false")
        return bool(value)

    def number(self, key: str, least: float, most: float, *, whole: bool = False) -> float | None:
        """A number, if there is one.

        Raises:
            Misfit: It is something else, or out of range.
        """
        value = self.told.get(key)
        if value is None:
            return None
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            self.wrong(key, f"a{' whole' if whole else ''} number from {least:g} to {most:g}")
        found: float = value
        return found

    def texts(self, key: str, most: int, longest: int) -> list[str]:
        """A list of different texts; empty where there is none.

        Raises:
            Misfit: It is something else.
        """
        value = self.told.get(key)
        value = [] if value is None else value
        allowed = f"a list of at most {most} different texts of 1 to {longest} printable characters"
        if not isinstance(value, list) or len(value) > most:
            self.wrong(key, allowed)
        for one in value:
            if not isinstance(one, str) or not 0 < len(one) <= longest or _UNPRINTABLE.search(one):
                self.wrong(key, allowed)
        if len(set(value)) < len(value):
            self.wrong(key, allowed)
        return value

    def objects(self, key: str, most: int, *, needed: bool = False) -> dict[str, "Members"]:
        """An object of objects, by name; empty where there is none.

        Raises:
            Misfit: It is something else, or has too many.
        """
        value = self.told.get(key)
        if value is None and not needed:
            return {}
        if not isinstance(value, dict):
            self.wrong(key, "an object of objects")
        here = f"{self.where}.{key}" if self.where else key
        if len(value) > most:
            raise Misfit(f"{here} has {len(value)} members; at most {most} are taken")
        for name, one in value.items():
            if not isinstance(one, dict):
                raise Misfit(f"{here}.{name} {show(one)} is not an object")
        return {name: Members(one, f"{here}.{name}") for name, one in value.items()}
