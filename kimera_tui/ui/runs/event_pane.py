"""The event pane: a ring of events as they happen, newest at the bottom."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual.binding import BindingType

from kimera_tui.process import events as e
from kimera_tui.runs.event_text import narrate
from kimera_tui.runs.events import ResultKept, RunEvent
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.masking import glimpse
from kimera_tui.runs.step import StepState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import clock_time, content, safe
from kimera_tui.ui.widgets.lines import Line, LineView

RING = 5000
"""How many events the pane remembers."""
_ENGINE = (e.Polled, e.CallbackStarted, e.CallbackFinished, e.Forgotten, ResultKept)
"""What the engine does for a task; the life of the task shows without it."""
_FAULTS = ("bad", "warning")
"""Styles of faults, and of what may become one."""


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as the pane shows it; all texts are safe."""

    at: float
    run_id: str
    who: str
    kind: str
    style: str
    text: str
    routine: bool = False
    """What the engine does, or what is known already; shown on demand."""


def event_line(event: object, index: RunIndex) -> EventLine | None:
    """The line of an event; None for events that do not matter to people.

    Args:
        event: What happened.
        index: Knows the run and step of each task; has folded the event already.
    """
    place = index.step_of(event)
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
    routine = _is_routine(event, None if place is None else place[1])
    at = getattr(event, "at", 0.0)
    return EventLine(at, run_id, safe(who, 60), kind, style, text, routine)


def _is_routine(event: object, step: StepState | None) -> bool:
    """Whether an event is the engine's own, or a start that was known already."""
    if isinstance(event, e.RevokeSent):
        return not event.asked
    if isinstance(event, e.StateSeen) and event.state == "STARTED" and step is not None:
        return step.started_at is not None and step.started_at < event.at
    return isinstance(event, _ENGINE)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events the pane shows."""

    run_id: str | None = None
    """Only those of one run, or of all with None."""
    faults: bool = False
    """Only what went wrong, or may."""
    words: str = ""
    """Only lines with all these words, in lower case."""
    engine: bool = False
    """Also what the engine does for the tasks: polls, callbacks, releases."""

    def passes(self, line: EventLine) -> bool:
        """Whether an event is shown."""
        if line.routine and not self.engine:
            return False
        if self.faults and line.style not in _FAULTS:
            return False
        text = f"{line.who} {line.kind} {line.text}".lower() if self.words else ""
        if not all(word in text for word in self.words.split()):
            return False
        return self.run_id is None or line.run_id == self.run_id

    def words_for(self, one_run: bool) -> str:
        """What it lets through, for a title.

        Args:
            one_run: Whether there are only events of one run anyway.
        """
        parts = ["this run" if self.run_id is not None or one_run else "all runs"]
        parts += ["with polls and releases"] if self.engine else []
        parts += ["only faults"] if self.faults else []
        return " · ".join([*parts, self.words] if self.words else parts)


class EventPane(LineView):
    """Streams events; scrolling up holds the view, the end follows again."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("events")
    has_cursor: ClassVar[bool] = False
    empty_text = (
        "What becomes of tasks appears here as it happens.\nv also shows polls and releases."
    )

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._ring: deque[EventLine] = deque(maxlen=RING)
        self._shown: list[EventLine] = []
        self._held: list[EventLine] = []
        self._unseen = 0
        self._follow = True
        self._of_one_run = False
        self.paused = False
        self.filter = EventFilter()
        """Which events are shown."""
        self._title()

    def line_count(self) -> int:
        """How many events are shown."""
        return len(self._shown)

    def line_at(self, index: int) -> Line:
        """Time, step, kind and words of an event."""
        line = self._shown[index]
        return (
            (f" {clock_time(line.at)} ", "dim"),
            (f"{line.who[:12]:<12} ", "key"),
            (f"{line.kind:<10} ", line.style),
            (line.text, line.style if line.style in ("bad", "warning", "dim") else ""),
        )

    def add(self, lines: Sequence[EventLine]) -> None:
        """Take new events in."""
        if self.paused:
            self._held.extend(lines)
            del self._held[:-RING]
            self._title()
            return
        self._ring.extend(lines)
        fresh = [line for line in lines if self.filter.passes(line)]
        if not fresh:
            return
        self._shown.extend(fresh)
        surplus = max(0, len(self._shown) - RING)
        del self._shown[:surplus]
        self._unseen = 0 if self._follow else self._unseen + len(fresh)
        self.lines_changed()
        if self._follow:
            self._to_end_if_following()
        elif surplus:
            self.scroll_to(y=self.scroll_y - surplus, animate=False, immediate=True)
        self._title()

    def replace(self, lines: Sequence[EventLine]) -> None:
        """Show these events instead of all others, from the first one."""
        self._of_one_run = True
        self._ring.clear()
        self._ring.extend(lines)
        self._held.clear()
        self._shown = [line for line in self._ring if self.filter.passes(line)]
        self._follow = False
        self._unseen = 0
        self.lines_changed()
        self.scroll_home(animate=False)
        self._title()

    def show_only(self, **changes: Any) -> None:
        """Show other events, with changes of fields of the filter."""
        self.filter = replace(self.filter, **changes)
        self._shown = [line for line in self._ring if self.filter.passes(line)]
        self._unseen = 0
        self._follow = True
        self.lines_changed()
        self._to_end_if_following()
        self._title()

    def action_engine(self) -> None:
        """Also show what the engine does for the tasks, or no longer."""
        self.show_only(engine=not self.filter.engine)

    def action_pause(self) -> None:
        """Hold the pane, or continue with everything that came meanwhile."""
        self.paused = not self.paused
        if not self.paused:
            held, self._held = self._held, []
            self.add(held)
        self._title()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up holds the view; reaching the end follows again."""
        super().watch_scroll_y(old_value, new_value)
        at_end = self.is_vertical_scroll_end
        if at_end or new_value < old_value:
            self._follow = at_end
        if self._follow and self._unseen:
            self._unseen = 0
            self._title()

    def on_resize(self) -> None:
        """Keep following at another height."""
        self._to_end_if_following()

    def _to_end_if_following(self) -> None:
        if self._follow:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def _title(self) -> None:
        self.border_title = content(f"Events · {self.filter.words_for(self._of_one_run)}")
        if self.paused:
            self.border_subtitle = content(f"PAUSED · {len(self._held)} waiting")
        elif self._unseen:
            self.border_subtitle = content(f"+{self._unseen} new")
        else:
            self.border_subtitle = None
