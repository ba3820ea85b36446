"""Events as the event pane shows them, each under the step that it belongs to."""

from __future__ import annotations

from kimera_tui.process.events import Polled
from kimera_tui.runs.event_text import narrate
from kimera_tui.runs.events import RunEvent
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.masking import glimpse
from kimera_tui.ui.runs.event_pane import EventLine
from kimera_tui.ui.text import safe

POLLS_SHOWN = 3
"""Later polls of a task are shown on demand."""


def event_line(event: object, book: RunIndex) -> EventLine | None:
    """The line of an event; None for events that are no news to people.

    Args:
        event: What happened.
        book: Knows which run and step a task belongs to; has folded the event already.
    """
    place = book.step_of(event)
    words = narrate(event if place is None else glimpse(event, place[0].secrets))
    if words is None:
        return None
    kind, style, text = words
    run_id = who = ""
    if place is not None:
        run, step = place
        run_id, who = run.run_id, step.id or step.task_name
    elif isinstance(event, RunEvent):
        run_id, who = event.run_id, "run"
    routine = isinstance(event, Polled) and event.attempt > POLLS_SHOWN and event.next_delay > 0
    at = getattr(event, "at", 0.0)
    return EventLine(at, run_id, safe(who, 60), kind, style, text, routine)
