"""The windows before a run is detached: what prevents that, or the question."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_tui.documents.document import Document, TaskStep, all_steps
from kimera_tui.execution.detach.blockers import Blocker
from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.windows.confirm import Question

_THEN = "The console only watches: the run continues when Kimera is closed, without timeouts."


class DetachBlockers(Reader):
    """Lists every step that workers cannot do alone, and why.

    Args:
        blockers: What prevents it.
        then: What happens instead, in a sentence.
    """

    def __init__(self, blockers: Sequence[Blocker], then: str) -> None:
        intro = f"The workers cannot run all of it without this console. {then}"
        super().__init__("Cannot detach", intro, [_line(blocker) for blocker in blockers])


def detaching(document: Document) -> Question:
    """The question before a new run is detached."""
    tasks = sum(isinstance(step, TaskStep) for step in all_steps(document))
    are = "tasks are" if tasks != 1 else "task is"
    text = f"{document.name}\n\n{tasks} {are} handed to the workers.\n\n{_THEN}"
    return Question("Detach the run", text, "Detach")


def detaching_rest(run: RunState) -> Question:
    """The question before the rest of a run is detached."""
    waiting = sum(step.status is Status.WAITING for step in run.steps.values())
    text = (
        f"{run.name}\n\nIn flight, waits for them first: {run.in_flight}\n"
        f"Then handed to the workers: {waiting}\n\n{_THEN}"
    )
    return Question("Detach the rest of the run", text, "Detach")


def _line(blocker: Blocker) -> Line:
    name, _, why = blocker.sentence.partition(": ")
    return ((f" {safe(name, 60)}  ", "strong"), (safe(why, 400), ""))
