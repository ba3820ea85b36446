"""The shapes of the runs that are killed."""

from __future__ import annotations

from kimera_tui.process.task_params import TaskParams
from kimera_tui.workflows.document import Chain, Para, Step, Task, Workflow


def _step(task: str = "step", **kwargs: object) -> Task:
    return Task(TaskParams("lab", task, kwargs=kwargs))


def _steps(count: int) -> list[Step]:
    return [_step() for _ in range(count)]


SHAPES: dict[str, Step] = {
    "chain of 5": Chain(_steps(5)),
    "para of 8": Para(_steps(8)),
    "chain, para, chain": Chain([*_steps(2), Para([_step(), Chain(_steps(2))]), _step()]),
    "a failing step": Chain([_step(), Para([_step(), _step("fail")]), _step()]),
    "replay from failed": Chain([*_steps(2), _step("fail_once"), *_steps(1)]),
}


def workflow(shape: str, name: str) -> Workflow:
    if shape != "replay from failed":
        return Workflow(name, SHAPES[shape])
    steps = [*_steps(2), _step("fail_once", name=name), *_steps(1)]
    return Workflow(name, Chain(steps))
