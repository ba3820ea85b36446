"""Events as the commands print them: each once, with what is known of the task after it."""

from __future__ import annotations

from typing import Any, TypeVar

from kimera_tui.cli.json_output import objects
from kimera_tui.process.events import StateSeen
from kimera_tui.runs.event_text import Words, narrate
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.state import RUNS, worker_of
from kimera_tui.runs.step import LastKnown, StepState

E = TypeVar("E")


def news_of(event: E, index: RunIndex) -> tuple[E, Words | None]:
    """Fold an event into the index.

    Returns:
        The event without secrets, and its words; no words if it is of no interest to people or
        only repeats what the index knows.
    """
    place = index.step_of(event)
    known = place is not None and _is_known(place[1], event)
    shown = index.take(event)
    return shown, None if known else narrate(shown)


def _is_known(step: StepState, event: object) -> bool:
    """Whether an event only repeats that a task is running.

    Its worker's event, the result backend and the replies of workers all say so; only the first is
    printed.
    """
    if not isinstance(event, StateSeen) or event.state != "STARTED":
        return False
    return step.status in RUNS and worker_of(event.meta) in ("", step.worker)


def facts_of(step: StepState | None) -> dict[str, Any]:
    """What is known of a step's task, for ``--json``; null for what is unknown."""
    if step is None:
        return dict.fromkeys(
            (
                "task_id",
                "state",
                "cause",
                "source",
                "since",
                "confirmed_at",
                "worker",
                "queue",
                "last_known",
            )
        )
    return {
        "task_id": step.task_id,
        "state": step.status,
        "cause": step.cause or None,
        "source": step.source,
        "since": step.since,
        "confirmed_at": step.confirmed_at,
        "worker": step.worker or None,
        "queue": step.queue or None,
        "last_known": step.last_known and _last(step.last_known),
    }


def spawned_by(step: StepState | None) -> dict[str, Any]:
    """The tasks that a step's task spawned, for ``--json``."""
    children: list[str] = [] if step is None else list(step.children)
    return {"children": children, "children_total": 0 if step is None else step.children_total}


def known_by_then(run: RunState | None, task_id: str) -> str:
    """The last known state of a task that timed out, with its source and age, and its run's id."""
    steps = () if run is None else run.steps.values()
    step = next((step for step in steps if step.task_id == task_id), None)
    if run is None or step is None or (known := step.last_known) is None:
        return ""
    state = f"{known.status} ({known.cause.rstrip('.')})" if known.cause else known.status
    return (
        f"Last known state: {state}, {known.age:.1f} s old, source: {known.source}.\n"
        f"Run id: {run.run_id}."
    )


def _last(known: LastKnown) -> objects.LastKnown:
    return objects.LastKnown(
        state=known.status,
        cause=known.cause or None,
        source=known.source,
        since=known.since,
        age=known.age,
    )
