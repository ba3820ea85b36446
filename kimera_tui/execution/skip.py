"""Says of steps that they won't be sent, each of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kimera_tui.errors import TaskRevoked
from kimera_tui.execution.completion import RunStopped
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.runs.events import StepSkipped
from kimera_tui.runs.plan import Node, is_handler


@dataclass(slots=True)
class Skipper:
    """Leaves steps of one run out."""

    run_id: str
    emitter: Emitter
    has_ended: Callable[[str], bool]
    """Whether the past tells the end of the step at a path."""
    settled: set[str] = field(default_factory=set)
    """Paths of the steps that have begun or were left out."""

    def after(self, later: Iterable[Node], failed: Node, error: Exception) -> None:
        """Leave out what comes after a part that ended badly."""
        name = failed.task.task_name if failed.task is not None else failed.id or failed.kind
        revoked = isinstance(error, TaskRevoked)
        because = f"{name} was revoked" if revoked else f"upstream {name} failed"
        if isinstance(error, RunStopped):
            because, revoked = error.because, True
        for node in later:
            self.leave_out(node, because, unreachable=revoked)

    def leave_out(
        self, node: Node, because: str, *, unreachable: bool = False, not_needed: bool = False
    ) -> None:
        """Leave out the tasks of a part, but for those of ``finally``."""
        aside = is_handler(node.path)
        finals = {path for each in node.finals for path, _ in each.leaves()}
        for path, _ in node.leaves():
            if path in finals or path in self.settled or self.has_ended(path):
                continue
            self.settled.add(path)
            idle = is_handler(path) and not aside
            self.emitter.emit(
                StepSkipped(
                    at=self.emitter.now(),
                    run_id=self.run_id,
                    path=path,
                    because=because,
                    unreachable=unreachable and not idle,
                    not_needed=not_needed or idle,
                )
            )
