"""The windows before a run is handed to the workers: what keeps it from that, or the question."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_tui.documents.document import Document, TaskStep, all_steps
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.windows.confirm import Question

_THEN = (
    "The console only watches. It goes on when Kimera is closed, and no time-out holds any more."
)


class Stops(Reader):
    """Lists every step that workers can't do as it is written, and why.

    Args:
        stops: What keeps the run.
        then: What becomes of it, in a sentence.
    """

    def __init__(self, stops: Sequence[Stop], then: str) -> None:
        intro = f"The workers can't go on alone with all that it says. {then}"
        super().__init__("Not to be detached", intro, [_line(stop) for stop in stops])


def detaching(document: Document) -> Question:
    """What is asked before a new run is handed over."""
    tasks = sum(isinstance(step, TaskStep) for step in all_steps(document))
    are = "tasks are" if tasks != 1 else "task is"
    text = f"{document.name}\n\n{tasks} {are} handed to the workers.\n\n{_THEN}"
    return Question("Hand it to the workers", text, "Detach")


def detaching_rest(run: RunState) -> Question:
    """What is asked before the rest of a run is handed over."""
    waiting = sum(step.status is Status.WAITING for step in run.steps.values())
    text = (
        f"{run.name}\n\nIn flight, to be waited for: {run.in_flight}\n"
        f"Handed to the workers then: {waiting}\n\n{_THEN}"
    )
    return Question("Hand the rest to the workers", text, "Detach")


def _line(stop: Stop) -> Line:
    name, _, why = stop.sentence.partition(": ")
    return ((f" {safe(name, 60)}  ", "strong"), (safe(why, 400), ""))
