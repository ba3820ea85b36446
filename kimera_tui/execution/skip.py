"""Skip steps, and announce each skipped step once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kimera_tui.errors import TaskRevoked
from kimera_tui.execution.actions import Skip
from kimera_tui.execution.completion import ResultNeeded, RunStopped
from kimera_tui.execution.frames import Agenda
from kimera_tui.runs.plan import Node, PlannedTask, is_handler
from kimera_tui.runs.step import StepState


@dataclass(slots=True)
class Skips:
    """The settled steps of one run; skips the others.

    Args:
        agenda: Collects the actions.
        recorded: The journal's state of each step, by path.
    """

    agenda: Agenda
    recorded: Mapping[str, StepState]
    settled: set[str] = field(default_factory=set)
    """Paths of the steps that were sent, ended or skipped."""

    def has_ended(self, path: str) -> bool:
        """Whether a step had ended according to the journal."""
        recorded = self.recorded.get(path)
        return recorded is not None and recorded.status.ended

    def unsent(self, plan: Node) -> list[PlannedTask]:
        """Tasks that were neither sent nor skipped and have not ended."""
        return [
            task
            for path, task in plan.leaves()
            if path not in self.settled and not self.has_ended(path)
        ]

    def after(self, later: Sequence[Node], failed: Node, error: Exception) -> None:
        """Skip what follows a part that failed."""
        name = failed.task.task_name if failed.task is not None else failed.id or failed.kind
        revoked = isinstance(error, TaskRevoked)
        because = f"{name} was revoked" if revoked else f"upstream {name} failed"
        if isinstance(error, RunStopped):
            because, revoked = error.because, True
        if isinstance(error, ResultNeeded):
            because = error.because
        for node in later:
            self.skip(node, because, unreachable=revoked)

    def skip_handlers(self, node: Node, because: str) -> None:
        """Skip the error handlers of a part that did not fail."""
        for handler in node.handlers:
            self.skip(handler, because, not_needed=True)

    def skip(
        self, node: Node, because: str, *, unreachable: bool = False, not_needed: bool = False
    ) -> None:
        """Skip the unsent steps of a part, except those in ``finally``."""
        aside = is_handler(node.path)
        finals = {path for each in node.finals for path, _ in each.leaves()}
        for path, _ in node.leaves():
            if path in finals or path in self.settled or self.has_ended(path):
                continue
            self.settled.add(path)
            idle = is_handler(path) and not aside
            self.agenda.actions.append(
                Skip(path, because, unreachable and not idle, not_needed or idle)
            )
