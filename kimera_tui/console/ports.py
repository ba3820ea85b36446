"""What the screen asks of the rest of the house; the command line hands it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.documents.calls import Workflow
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import Stored
from kimera_tui.execution.cancel import Cancelled
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.execution.last_run import LastRun
from kimera_tui.execution.preflight import Finding
from kimera_tui.execution.replay import ReplayPlan, Wish
from kimera_tui.execution.run_setup import Given
from kimera_tui.execution.runner import Decision
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import Clock
from kimera_tui.runs.recovery import Recovery
from kimera_tui.runs.search.query import RunRow


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """A file with a workflow, for the list of them."""

    path: Path
    name: str
    steps: int
    problem: str = ""
    """The first thing that is wrong with it, or an empty string."""
    last_state: str = ""
    """How its last run stands or ended; empty where none is known."""
    last_at: float | None = None
    """When that began, in seconds since the epoch."""
    usual: float | None = None
    """Median of its latest finished runs, in seconds."""
    last_run: str = ""
    """Id of its last run; empty where none is known."""


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A search of past runs that has a name."""

    name: str
    line: str
    problem: str = ""
    """Why it can't be used, or an empty string."""


class Workflows(Protocol):
    """Documents: their files, and runs made of them."""

    async def problems(self, document: Document) -> Sequence[Problem]:
        """What is wrong with a document."""

    async def saved(self) -> Sequence[SavedWorkflow]:
        """The files there are, those that can't be read too."""

    async def open(self, path: Path) -> Stored:
        """Read a file; raises a KimeraError that says what is wrong with it."""

    def file_for(self, name: str) -> Path:
        """Where a workflow of that name is kept."""

    async def save(self, document: Document, path: Path, stored: Stored | None) -> Stored:
        """Write a file, keeping its comments.

        Args:
            document: What is written.
            path: The file.
            stored: What was read from it; None for a file that must not be there yet.

        Raises:
            ChangedOnDisk: somebody else wrote it since; it holds the difference.
            KimeraError: it can't be written.
        """

    async def changed(self, stored: Stored) -> bool:
        """Whether a file is another than it was when it was read or written last."""

    async def last_run(self, name: str) -> LastRun | None:
        """What the last run of a workflow of that name tells."""

    def reads(self, document: Document) -> Sequence[Access]:
        """What a run of it reads besides its own file."""

    async def wants(self, document: Document, file: Path | None) -> Sequence[Access]:
        """What a document asks for and nobody has allowed.

        Args:
            document: What is to be run.
            file: Where it is from, as for what follows; None for what was never saved.

        Raises:
            ConfigError: the permissions can't be read.
        """

    async def allow(self, document: Document, file: Path | None) -> None:
        """Let it read what it asks for now; ConfigError where that can't be written down."""

    async def preflight(
        self, document: Document, given: Given, file: Path | None
    ) -> Sequence[Finding]:
        """What speaks for and against a run of it now."""

    async def dry_run(
        self, document: Document, given: Given, file: Path | None
    ) -> Sequence[Mapping[str, Any]]:
        """What a run would send; nothing is sent."""

    async def run(self, document: Document, given: Given, file: Path | None) -> str:
        """Start a run as soon as the broker is there; returns its id.

        Raises:
            NotTrusted: it asks for something that nobody has allowed.
            KimeraError: it can't be started.
        """

    async def stops(self, document: Document) -> Sequence[Stop]:
        """What keeps a run of it from being handed to the workers.

        Raises:
            KimeraError: there is nothing to hand it to.
        """

    async def detach(self, document: Document, given: Given, file: Path | None) -> str:
        """Start a run that the workers go on with alone; returns its id once they have it.

        Raises:
            NotTrusted: it asks for something that nobody has allowed.
            KimeraError: it can't be handed over.
        """

    async def document_of(self, run_id: str) -> Document:
        """The document that a past run began with; UsageError where it can't be had."""


class Services(Protocol):
    """The parts behind the screen."""

    friends: Mapping[str, Friend]
    friends_file: Path
    friends_problem: str
    """Why friends.yaml could not be read, or an empty string."""
    embedded: bool
    """Whether the broker is the console's own, which ends with it."""
    bus: EventBus

    @property
    def clock(self) -> Clock:
        """Where the time comes from."""

    @property
    def workflows(self) -> Workflows:
        """The documents and their runs."""

    @property
    def read_only(self) -> bool:
        """Whether nothing may be sent or revoked here."""

    def friends_want(self) -> Sequence[Access]:
        """What friends.yaml asks to read and nobody has allowed.

        Raises:
            ConfigError: the permissions can't be read.
        """

    def allow_friends(self) -> None:
        """Let friends.yaml read what it asks for now; ConfigError as above."""

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

    async def resume(self, run_id: str, given: Given) -> None:
        """Go on with a run that its console left; raises a KimeraError where that can't be."""

    async def launch(self, workflow: Workflow) -> str:
        """Start a run as soon as the broker is there; returns the run's id.

        Raises:
            KimeraError: the broker never came up.
        """

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task; returns which workers acknowledged."""

    async def cancel(self, run_id: str) -> Cancelled:
        """Send nothing more of a run, whoever is at it, and revoke what is in flight of it."""

    async def detach_rest(self, run_id: str) -> None:
        """Hand what has not been sent of a run to the workers, once what is in flight has ended.

        Raises:
            CannotDetach: the workers can't do all that it says; it goes on as it did.
            KimeraError: it isn't going on here, nothing is left, or it could not be published.
        """

    async def keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> str:
        """Revoke tasks until workers heard of it; returns how that ended, in a sentence.

        Args:
            unheard: Friend and id of each.
        """

    async def decide(self, run_id: str, path: str, what: Decision, result: Any) -> None:
        """Say what became of an uncertain step; UsageError where nobody asks for it."""

    async def runs(self, search: str) -> Sequence[RunRow]:
        """Past runs, newest first; UsageError for a search that can't be understood."""

    async def filters(self) -> Sequence[SavedFilter]:
        """The saved filters, those that can't be used too; ConfigError for a wrong file."""

    async def save_filter(self, name: str, line: str) -> None:
        """Save a search under a name, in place of the one that had it.

        Raises:
            UsageError: the name or the search is wrong, or the file can't be read or written.
        """

    async def delete_filter(self, name: str) -> None:
        """Forget a saved filter; raises as ``save_filter``, and where there is none."""

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run, in its order, for a fold."""

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        """Median and 95th percentile of a task's running time, in seconds; None for too few."""

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        """The same of whole runs of a name."""

    async def save_value(self, name: str, text: str) -> Path:
        """Write a text to a new file of that name in the working directory; returns the file."""

    async def replay_plan(self, run_id: str, wish: Wish) -> ReplayPlan:
        """What a replay would run and reuse; UsageError where it can't be."""

    async def replay(self, run_id: str, wish: Wish) -> str:
        """Start a new run from a past one; returns its id."""

    async def export(self, run_id: str) -> Path:
        """Write a run with its events to a file, as JSON; returns the file."""

    def ask_workers(self) -> None:
        """Have the workers asked now rather than at the next turn."""

    async def close(self) -> None:
        """Stop watching, close connections, and let an embedded broker go."""
