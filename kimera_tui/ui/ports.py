"""What the screen asks of the rest of the house; the command line hands it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kimera_tui.config.friends import Friend
from kimera_tui.process.bus import EventBus
from kimera_tui.process.clock import Clock
from kimera_tui.process.engine import Receipt
from kimera_tui.runs.history import RunRow
from kimera_tui.runs.recovery import Recovery
from kimera_tui.workflows.calls import Workflow


class Services(Protocol):
    """The parts behind the screen."""

    friends: Mapping[str, Friend]
    friends_file: Path
    friends_problem: str
    """Why friends.yaml could not be read, or an empty string."""
    embedded: bool
    """Whether the broker is the console's own, which ends with it."""
    bus: EventBus
    clock: Clock

    @property
    def read_only(self) -> bool:
        """Whether nothing may be sent or revoked here."""

    @property
    def journal_problem(self) -> str:
        """Why runs are not saved, or an empty string."""

    @property
    def journal_notice(self) -> str:
        """What else is to be known of the journal, such as that it was damaged and begun anew."""

    async def start(self) -> None:
        """Bring the broker up; progress and failure are told as events."""

    async def recover(self) -> Recovery:
        """Go on with the runs that a console left, once the broker is up.

        Raises:
            KimeraError: the broker never came up, or the journal can't be used.
        """

    async def launch(self, workflow: Workflow) -> str:
        """Start a run as soon as the broker is there; returns the run's id.

        Raises:
            KimeraError: the broker never came up.
        """

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task; returns which workers acknowledged."""

    async def cancel(self, run_id: str) -> Sequence[Receipt]:
        """Send nothing more of a run and revoke what is in flight of it."""

    async def runs(self, search: str) -> Sequence[RunRow]:
        """Past runs, newest first; UsageError for a search that can't be understood."""

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run, in its order, for a fold."""

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        """Median and 95th percentile of a task's running time, in seconds; None for too few."""

    async def replay(self, run_id: str, mode: str, path: str) -> str:
        """Start a new run from a past one; returns its id."""

    async def export(self, run_id: str) -> Path:
        """Write a run with its events to a file, as JSON; returns the file."""

    def ask_workers(self) -> None:
        """Have the workers asked now rather than at the next turn."""

    async def close(self) -> None:
        """Stop watching, close connections, and let an embedded broker go."""
