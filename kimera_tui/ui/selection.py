"""What is selected: one run, and one step in each run; every pane shows the same."""

from __future__ import annotations

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status

_NEVER_SENT = (Status.SKIPPED, Status.UNREACHABLE)


class Selection:
    """The selected run, and the selected step of each run; outlives the lists that show them."""

    def __init__(self) -> None:
        self.run_id = ""
        """The run selected last, in Live or History; empty before that."""
        self._paths: dict[str, str] = {}

    def choose(self, run: RunState, path: str) -> None:
        """Select a node of a run's plan; it stays selected however often the run is read."""
        self._paths[run.run_id] = path

    def path_in(self, run: RunState) -> str:
        """Path of the selected node; before any selection, of the most interesting one."""
        path = self._paths.get(run.run_id)
        return interesting(run) if path is None else path


def interesting(run: RunState) -> str:
    """Path of the first step that failed by itself, else of one in flight, else the last sent."""
    steps = [run.steps[path] for path, _ in run.plan.leaves() if path in run.steps]
    failed = (s for s in steps if s.status.bad and s.status not in _NEVER_SENT)
    in_flight = (s for s in steps if s.sent_at is not None and not s.status.ended)
    sent = (s for s in reversed(steps) if s.was_sent)
    for found in (failed, in_flight, sent, iter(steps)):
        if (step := next(found, None)) is not None:
            return step.path
    return ""
