"""The run queue as a list: what runs, what waits, and what came out."""

from typing import override

from homeassistant.components.todo import TodoItem, TodoItemStatus, TodoListEntity, TodoListEntityFeature
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .entity import LabEntity
from .lab import Lab, LabConfigEntry
from .run import TASK, Run

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the list."""
    async_add_entities([RunList(entry.runtime_data)])


class RunList(LabEntity, TodoListEntity):
    """Unticked is what runs, what waits, and what was interrupted until somebody has looked at it."""

    _attr_supported_features = (
        TodoListEntityFeature.CREATE_TODO_ITEM
        | TodoListEntityFeature.DELETE_TODO_ITEM
        | TodoListEntityFeature.UPDATE_TODO_ITEM
        | TodoListEntityFeature.MOVE_TODO_ITEM
    )

    def __init__(self, lab: Lab) -> None:
        """Prepare."""
        super().__init__(lab, "run_queue")

    @property
    @override
    def available(self) -> bool:
        return True  # it is ours, not the broker's

    @property
    @override
    def todo_items(self) -> list[TodoItem]:
        return [self._item(run) for run in self.lab.runs.listed()]

    @override
    async def async_create_todo_item(self, item: TodoItem) -> None:
        context = self._context or Context()
        by = await self.hass.data[DOMAIN].issuers.name(context)
        self.lab.queue.add(item.summary or "", by)
        self.async_write_ha_state()

    @override
    async def async_update_todo_item(self, item: TodoItem) -> None:
        run = self.lab.runs.find(item.uid or "")
        if item.summary and item.summary != run.title:
            self.lab.queue.change(run, item.summary)
        if item.status == TodoItemStatus.COMPLETED and run.is_open:
            self.lab.runs.tick(run)
        elif item.status == TodoItemStatus.NEEDS_ACTION and not run.is_open:
            self.lab.runs.wait_again(run)
        self.async_write_ha_state()

    @override
    async def async_delete_todo_items(self, uids: list[str]) -> None:
        for uid in uids:
            self.lab.runs.delete(self.lab.runs.find(uid))
        self.async_write_ha_state()

    @override
    async def async_move_todo_item(self, uid: str, previous_uid: str | None = None) -> None:
        behind = self.lab.runs.find(previous_uid) if previous_uid else None
        self.lab.runs.move(self.lab.runs.find(uid), behind)
        self.async_write_ha_state()

    @callback
    def _item(self, run: Run) -> TodoItem:
        words = self.lab.words
        told = [words.word("run_status", run.status)]
        if run.percent is not None and not run.is_over:
            told.append(f"{run.percent:.0f} %")
        told += [part for part in (run.step if not run.is_over else "", run.error) if part]
        if run.kind != TASK or run.is_over:
            told.append(run.entity_id or run.begun_by)
        return TodoItem(
            uid=run.run_id,
            summary=run.title,
            description=" · ".join(told),
            status=TodoItemStatus.NEEDS_ACTION if run.is_open else TodoItemStatus.COMPLETED,
        )
