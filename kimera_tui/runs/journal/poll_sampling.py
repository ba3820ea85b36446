"""Long waits make thousands of polls; the journal keeps the first, some, and always the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kimera_tui.process.events import Event, Polled, TaskEvent

KEPT_WHOLE = 8
"""So many polls of a task are all kept; of later ones the 16th, the 32nd, the 64th ..."""


class PollThinner:
    """Holds polls back until something else happens to their task, and keeps only the last."""

    def __init__(self) -> None:
        self._held: dict[str, Polled] = {}

    def thin(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events that are written; a fold of them ends as a fold of all."""
        for event in events:
            if isinstance(event, Polled) and not _is_kept(event.attempt):
                self._held[event.task_id] = event
                continue
            if isinstance(event, TaskEvent):
                held: Any = self._held.pop(event.task_id, None)
                if held is not None and not isinstance(event, Polled):
                    yield held
            yield event

    def rest(self) -> list[Event]:
        """Everything held back, to be written at the end."""
        held, self._held = list(self._held.values()), {}
        return list(held)


def _is_kept(attempt: int) -> bool:
    return attempt <= KEPT_WHOLE or attempt & (attempt - 1) == 0
