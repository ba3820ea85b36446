"""The questions of the palette before it sends, overwrites or removes; each names its object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kimera_tui.config.friends import Friend
from kimera_tui.documents.document import Document, Step
from kimera_tui.execution.preflight import tasks_of
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.index import RunState
from kimera_tui.ui.friends.call_text import call_words
from kimera_tui.ui.windows.confirm import Question

NAMED = 12
"""Tasks that a question names."""


def sending(params: TaskParams, friend: Friend) -> Question:
    """Before a single task is sent."""
    task = friend.tasks.get(params.task_name)
    secret = [] if task is None else [name for name, param in task.params.items() if param.secret]
    return Question("Send the task", call_words(params, secret, queue=friend.queue), "Send")


def running(document: Document, run_inputs: RunInputs, friends: Mapping[str, Friend]) -> Question:
    """Before a workflow is run."""
    lines = [document.name, ""]
    lines += [
        f"{name} = {document.inputs[name].text(value)}"
        for name, value in run_inputs.inputs.items()
        if name in document.inputs
    ]
    tasks = sorted(tasks_of(document))
    lines += [
        f"{friend}.{task}" + (f"  to queue {friends[friend].queue}" if friend in friends else "")
        for friend, task in tasks[:NAMED]
    ]
    if len(tasks) > NAMED:
        lines.append(f"and {len(tasks) - NAMED} more tasks")
    return Question("Run the workflow", "\n".join(lines), "Run")


def resuming(run: RunState) -> Question:
    """Before an interrupted run is resumed."""
    waiting = sum(not step.status.ended for step in run.steps.values())
    text = f"{run.name}\n{run.run_id}\n\nSteps not ended, to send or watch: {waiting}"
    return Question("Resume the run", text, "Resume")


def overwriting(document: Document, path: Path) -> Question:
    """Before a file is overwritten."""
    return Question("Overwrite the file", f"{document.name}\n\n{path}", "Save")


def removing(step: Step) -> Question:
    """Before a step is removed from the document."""
    return Question("Remove the step", f"{step.id}\n\nUndo (u) brings it back.", "Remove")
