"""Prefect 3 flows that call devices, and functions that run such flows from anywhere. See docs/prefect.md.

    @flow(on_cancellation=[cancel_calls])
    def to_the_opening(hotel: str) -> None:
        with FlowLab() as lab:
            lab["plate-resort"].activate_hotel(hotel=hotel)

Needs ``lab2mqtt[prefect]``.
"""

try:
    import prefect as _prefect
except ImportError as _missing:
    raise ImportError("Prefect is not installed: pip install 'lab2mqtt[prefect]'") from _missing

from lab2mqtt.prefect.cancelling import cancel_calls
from lab2mqtt.prefect.flow_lab import FlowDevice, FlowLab
from lab2mqtt.prefect.patience import Patience

del _prefect

__all__ = ["FlowDevice", "FlowLab", "Patience", "cancel_calls"]
