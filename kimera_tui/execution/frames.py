"""The parts of a plan that have begun, and the work queued for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.execution.actions import Action
from kimera_tui.execution.completion import ResultNeeded, RunStopped
from kimera_tui.runs.plan import Node


@dataclass(slots=True, eq=False)
class Frame:
    """A part of the plan that has begun."""

    node: Node
    parent: Frame | None
    index: int
    """Its position in the parent's ``running``."""
    upstream: Any
    """The upstream result, or ``NOTHING``."""
    error: Exception | None
    """The error that is being handled, inside an error handler."""
    running: Sequence[Node] = ()
    """What it runs: its children, or its error handlers after a failure."""
    caught: Exception | None = None
    """The error that its own handlers handle."""
    begun: int = 0
    """How many branches of a para have begun."""
    open: int = 0
    """How many of them have not ended."""
    results: list[Any] = field(default_factory=list)
    failures: dict[int, Exception] = field(default_factory=dict)
    """Errors of its branches by index, in the order they happened."""
    giving_up: bool = False

    @property
    def is_para(self) -> bool:
        """Whether it is running branches in parallel."""
        return self.node.kind == "para" and self.caught is None

    @property
    def first_failure(self) -> Exception | None:
        """The earliest error of a branch that was not merely stopped."""
        stopped = (RunStopped, ResultNeeded)
        failures = (each for each in self.failures.values() if not isinstance(each, stopped))
        return next(failures, None)

    @property
    def worst_failure(self) -> Exception:
        """The error of the first branch that failed; one that lacked a result counts last."""
        failures = [self.failures[index] for index in sorted(self.failures)]
        real = (each for each in failures if not isinstance(each, ResultNeeded))
        return next(real, failures[0])

    def is_below(self, other: Frame) -> bool:
        """Whether it is inside another frame."""
        frame = self.parent
        while frame is not None and frame is not other:
            frame = frame.parent
        return frame is other


@dataclass(slots=True)
class Agenda:
    """A queue of work, and the actions it produced.

    It walks a tree of any depth without recursion, and in portions.
    """

    now: float = 0.0
    """Seconds since the epoch, as of the latest turn of the schedule."""
    actions: list[Action] = field(default_factory=list)
    _work: deque[tuple[Frame | None, Callable[[], None]]] = field(default_factory=deque)

    def add(self, frame: Frame | None, work: Callable[[], None]) -> None:
        """Queue work.

        Args:
            frame: The part it concerns; None for the whole run.
            work: The function to call.
        """
        self._work.append((frame, work))

    @property
    def busy(self) -> bool:
        """Whether work is left."""
        return bool(self._work)

    def work(self, most: int) -> None:
        """Do up to ``most`` pieces of work."""
        for _ in range(most):
            if not self._work:
                return
            self._work.popleft()[1]()

    def drop_below(self, frame: Frame) -> None:
        """Drop the work on everything inside a frame."""
        self._work = deque(
            each for each in self._work if each[0] is None or not each[0].is_below(frame)
        )

    def clear(self) -> None:
        """Drop all work."""
        self._work.clear()

    def take(self) -> list[Action]:
        """Return the actions since the last call."""
        taken, self.actions = self.actions, []
        return taken
