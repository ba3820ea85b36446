"""From a workflow to the plan of a run: the same tree, with an id for each task."""

from __future__ import annotations

from collections.abc import Callable

from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.workflows.calls import Chain, Para, Step, Task


def plan_of(
    step: Step,
    new_id: Callable[[], str],
    secret: Callable[[TaskParams], frozenset[str]] = lambda _: frozenset(),
    path: str = "",
) -> Node:
    """The run's tree for a workflow's, with an id for each task.

    Args:
        step: The root of the workflow's tree, or of a part of it.
        new_id: Makes the tasks' ids.
        secret: Tells which of a call's named arguments are secret.
        path: Where the part stands in the whole.
    """
    match step:
        case Task():
            return Node("task", path, task=_planned(step.params, new_id(), secret(step.params)))
        case Chain() | Para():
            children = tuple(
                plan_of(child, new_id, secret, f"{path}/{position}" if path else str(position))
                for position, child in enumerate(step.steps)
            )
            return Node("chain" if isinstance(step, Chain) else "para", path, children)


def _planned(params: TaskParams, task_id: str, secret: frozenset[str]) -> PlannedTask:
    return PlannedTask(
        task_id,
        params.friend,
        params.task_name,
        tuple(params.args),
        dict(params.kwargs),
        params.timeout,
        secret,
    )
