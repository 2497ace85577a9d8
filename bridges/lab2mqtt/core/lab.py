"""The rest of the lab, as a driver sees it that needs another device."""

from collections.abc import Mapping
from typing import Protocol


class Neighbours(Protocol):
    """The other devices, on whichever bridge.

    A driver with a method ``meet(neighbours)`` is given them before it is opened.
    """

    async def call(
        self, device_id: str, task: str, parameters: Mapping[str, object], within: float
    ) -> object:
        """Call a task of another device.

        Args:
            device_id: Which.
            task: Its task.
            parameters: Of the task.
            within: s for the answer.

        Returns:
            The task's result.

        Raises:
            LabError: It refused or failed, with its own ``error_code`` and words.
            Unreachable: Nobody answered.
        """
