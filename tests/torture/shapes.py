"""The shapes of the runs that are killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_tui.documents.calls import Chain, Para, Step, Task, Workflow
from kimera_tui.documents.document import Document
from kimera_tui.process.task_params import TaskParams

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
HANDED_OVER = "handed over"
"""Its console hands it to the workers, in two messages which a join waits for."""


def _first(step_id: str, passing: str = "first") -> dict[str, Any]:
    return {"id": step_id, "task": "lab.step", "pass": passing}


DOCUMENTS: dict[str, dict[str, Any]] = {
    HANDED_OVER: {
        "steps": [
            {
                "id": "both",
                "para": [
                    {"id": "left", "chain": [_first("a"), _first("b")]},
                    _first("c"),
                ],
            },
            _first("join"),
            {"id": "again", "para": [_first("d"), _first("e", "none")]},
            _first("end"),
        ]
    },
    "retries": {
        "steps": [
            {"id": "first", "task": "lab.step"},
            {
                "id": "both",
                "para": [
                    {
                        "id": "flaky",
                        "task": "lab.fail_times",
                        "kwargs": {"key": "flaky", "times": 2},
                        "retry": {"max": 3, "delay": "0.02s", "factor": 1},
                    },
                    {"id": "beside", "task": "lab.step"},
                ],
            },
            {"id": "last", "task": "lab.step"},
        ]
    },
    "on_error and finally": {
        "steps": [
            {"id": "lax", "task": "lab.fail", "on_error": "continue"},
            {
                "id": "strict",
                "task": "lab.fail",
                "retry": {"max": 1, "delay": "0.02s"},
                "on_error": [{"id": "alert", "task": "lab.step"}],
            },
            {"id": "never", "task": "lab.step"},
        ],
        "finally": [{"id": "end", "task": "lab.step"}],
    },
    "conditions and look-ups": {
        "steps": [
            {"id": "first", "task": "lab.step"},
            {
                "id": "not_needed",
                "task": "lab.step",
                "when": {"ref": "steps.first.result.n0", "gt": 5},
            },
            {
                "id": "looks_up",
                "task": "lab.step",
                "pass": "none",
                "kwargs": {"n": "${{ steps.first.result.n0 }}"},
            },
        ],
    },
}
"""Documents, whose steps get what counts them."""
SLOW = "a slow chain"
"""Its tasks run longer than a console needs to be back: no result says that one was sent."""
SLOW_SECONDS = 0.7


def document(shape: str, name: str) -> Document:
    """A document whose tasks are counted under a name."""

    def counted(plain: Any) -> Any:
        if isinstance(plain, list):
            return [counted(each) for each in plain]
        if not isinstance(plain, dict):
            return plain
        inner = {key: counted(value) for key, value in plain.items()}
        if "task" in plain:
            inner["kwargs"] = {"of": name, **plain.get("kwargs", {})}
        return inner

    return Document.model_validate({"kimera": 1, "name": name, **counted(DOCUMENTS[shape])})


def workflow(shape: str, name: str, pause: float) -> Workflow:
    """A workflow of plain calls whose tasks are counted under a name.

    Args:
        shape: One of ``SHAPES``, or ``SLOW``.
        name: The name.
        pause: Seconds that each task takes.
    """

    def task(what: str = "step") -> Task:
        taking = {"pause": pause} if what == "step" else {}
        return Task(TaskParams("lab", what, kwargs={"of": name, **taking}))

    if shape == SLOW:
        pause = SLOW_SECONDS
        return Workflow(name, Chain([task(), Para([task(), task()]), task()]))
    return Workflow(name, SHAPES[shape](task))
