"""The parts of a plan that have begun, and the work that is left to do about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.execution.actions import Action
from kimera_tui.execution.completion import RunStopped
from kimera_tui.runs.plan import Node


@dataclass(slots=True, eq=False)
class Frame:
    """A part of the plan that has begun."""

    node: Node
    parent: Frame | None
    index: int
    """Its place among what the parent runs."""
    before: Any
    """The upstream result, or ``NOTHING``."""
    error: Exception | None
    """What it handles, below an error handler."""
    running: Sequence[Node] = ()
    """What it runs: its children, then perhaps its error handlers."""
    caught: Exception | None = None
    """What its error handlers handle."""
    begun: int = 0
    """How many branches of a para have begun."""
    open: int = 0
    """How many of them have not ended."""
    results: list[Any] = field(default_factory=list)
    bad: dict[int, Exception] = field(default_factory=dict)
    """Errors of its branches by their index, the earliest first."""
    giving_up: bool = False

    @property
    def is_para(self) -> bool:
        """Whether it runs branches side by side just now."""
        return self.node.kind == "para" and self.caught is None

    @property
    def first_failure(self) -> Exception | None:
        """The earliest error of a branch that wasn't merely stopped."""
        return next((each for each in self.bad.values() if not isinstance(each, RunStopped)), None)

    def is_below(self, other: Frame) -> bool:
        """Whether it is a part of another one."""
        frame = self.parent
        while frame is not None and frame is not other:
            frame = frame.parent
        return frame is other


@dataclass(slots=True)
class Agenda:
    """Work in the order in which it came, and the actions that came of it.

    A tree of any depth is worked off without recursion, and in portions.
    """

    now: float = 0.0
    """Seconds since the epoch, as of the latest turn."""
    actions: list[Action] = field(default_factory=list)
    _work: deque[tuple[Frame | None, Callable[[], None]]] = field(default_factory=deque)

    def add(self, frame: Frame | None, work: Callable[[], None]) -> None:
        """Do something later.

        Args:
            frame: The part that it is about; None for the whole.
            work: What is to be done.
        """
        self._work.append((frame, work))

    @property
    def busy(self) -> bool:
        """Whether work is left."""
        return bool(self._work)

    def work(self, most: int) -> None:
        """Do so many pieces of work."""
        for _ in range(most):
            if not self._work:
                return
            self._work.popleft()[1]()

    def drop_below(self, frame: Frame) -> None:
        """Forget the work on all parts of a part."""
        self._work = deque(
            each for each in self._work if each[0] is None or not each[0].is_below(frame)
        )

    def clear(self) -> None:
        """Forget all work."""
        self._work.clear()

    def take(self) -> list[Action]:
        """The actions since the last time."""
        taken, self.actions = self.actions, []
        return taken
