"""What the operator looks at: one run, and one step in each run; every pane shows the same."""

from __future__ import annotations

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status

_NEVER_SENT = (Status.SKIPPED, Status.UNREACHABLE)


class LookedAt:
    """The selected run and steps, which outlive the lists that show them."""

    def __init__(self) -> None:
        self.run_id = ""
        """The run that was selected last, in Live or History; empty before that."""
        self._paths: dict[str, str] = {}

    def choose(self, run: RunState, path: str) -> None:
        """Select a node of a run's plan; it stays selected however often the run is read."""
        self._paths[run.run_id] = path

    def path_in(self, run: RunState) -> str:
        """Path of the selected node; where nobody has selected one, of the most interesting."""
        path = self._paths.get(run.run_id)
        return interesting(run) if path is None else path


def interesting(run: RunState) -> str:
    """The first step that ended badly of itself, else one under way, else the last one sent."""
    steps = [run.steps[path] for path, _ in run.plan.leaves() if path in run.steps]
    failed = (s for s in steps if s.status.bad and s.status not in _NEVER_SENT)
    going = (s for s in steps if s.sent_at is not None and not s.status.ended)
    sent = (s for s in reversed(steps) if s.was_sent)
    for found in (failed, going, sent, iter(steps)):
        if (step := next(found, None)) is not None:
            return step.path
    return ""
