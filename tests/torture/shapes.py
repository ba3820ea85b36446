"""The shapes of the runs that are killed."""

from __future__ import annotations

from collections.abc import Callable

from kimera_tui.process.task_params import TaskParams
from kimera_tui.workflows.calls import Chain, Para, Step, Task, Workflow

Make = Callable[[Callable[..., Task]], Step]

SHAPES: dict[str, Make] = {
    "chain of 5": lambda task: Chain([task() for _ in range(5)]),
    "para of 8": lambda task: Para([task() for _ in range(8)]),
    "chain, para, chain": lambda task: Chain(
        [task(), task(), Para([task(), Chain([task(), task()])]), task()]
    ),
    "a failing step": lambda task: Chain([task(), Para([task(), task("fail")]), task()]),
    "replay from failed": lambda task: Chain([task(), task(), task("fail_once"), task()]),
}
SLOW = "a slow chain"
"""Its tasks take longer than a console needs to be back, so no result tells that one was sent."""


def workflow(shape: str, name: str, pause: float) -> Workflow:
    """A workflow whose tasks are counted under a name.

    Args:
        shape: One of ``SHAPES``, or ``SLOW``.
        name: The name.
        pause: Seconds that each task takes.
    """

    def task(what: str = "step") -> Task:
        taking = {"pause": pause} if what == "step" else {}
        return Task(TaskParams("lab", what, kwargs={"of": name, **taking}))

    if shape == SLOW:
        pause = 0.4
        return Workflow(name, Chain([task(), task()]))
    return Workflow(name, SHAPES[shape](task))
