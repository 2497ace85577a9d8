"""Tells what is wrong in a lab as repairs: when it has been so for long enough, until it is no more."""

from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .faults import Fault, faults
from .lab import Lab

_ERRORS = ("bridge_gone", "disk_full", "protocol_too_new", "protocol_too_old")


class Issues:
    """The repairs of one lab."""

    def __init__(self, hass: HomeAssistant, lab: Lab) -> None:
        """Prepare; nothing is looked at."""
        self._hass = hass
        self._lab = lab
        self._since: dict[str, float] = {}  # of all that is wrong, by the id of its issue
        self._shown: dict[str, Fault] = {}
        self._next: CALLBACK_TYPE | None = None

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Look now, at every change, and when something has been wrong for long enough.

        Returns:
            What ends that, and removes all repairs.
        """
        end = self._lab.on_change(lambda: self._look(dt_util.utcnow()))
        self._look(dt_util.utcnow())

        @callback
        def stop() -> None:
            end()
            self._wait(None)
            for issue_id in self._shown:
                ir.async_delete_issue(self._hass, DOMAIN, issue_id)

        return stop

    @callback
    def _look(self, now: datetime) -> None:
        if not self._lab.connected:
            # Nothing that was heard counts until it was heard again.
            self._since = {issue_id: self._since[issue_id] for issue_id in self._shown}
            self._wait(None)
            return
        entry_id = self._lab.entry.entry_id
        wrong = {f"{fault.key}_{entry_id}_{fault.who}": fault for fault in faults(self._lab)}
        moment = now.timestamp()
        self._since = {
            issue_id: fault.since or self._since.get(issue_id, moment) for issue_id, fault in wrong.items()
        }
        for issue_id in [each for each in self._shown if each not in wrong]:
            del self._shown[issue_id]
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
        due = None
        for issue_id, fault in wrong.items():
            # What is shown stays until it is put right, whatever the clock does meanwhile.
            left = self._since[issue_id] + fault.after - moment
            if left > 0 and issue_id not in self._shown:
                due = left if due is None else min(due, left)
            elif self._shown.get(issue_id) != fault:
                self._shown[issue_id] = fault
                self._show(issue_id, fault)
        self._wait(due)

    def _wait(self, seconds: float | None) -> None:
        """Look again after that, if nothing changes before."""
        if self._next:
            self._next()
        self._next = None if seconds is None else async_call_later(self._hass, seconds, self._again)

    @callback
    def _again(self, now: datetime) -> None:
        self._next = None
        self._look(now)

    def _show(self, issue_id: str, fault: Fault) -> None:
        since = dt_util.as_local(dt_util.utc_from_timestamp(self._since[issue_id]))
        said = {"lab": self._lab.title, "since": since.strftime("%Y-%m-%d %H:%M"), **fault.said}
        severity = ir.IssueSeverity.ERROR if fault.key in _ERRORS else ir.IssueSeverity.WARNING
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data=None if fault.fix is None else {"entry_id": self._lab.entry.entry_id, **said, **fault.fix},
            is_fixable=fault.fix is not None,
            severity=severity,
            translation_key=fault.key,
            translation_placeholders=said,
        )
