"""The application: everything that the screen and the command line ask for, put together."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.paths import state_dir
from kimera_tui.console.connection import Connection
from kimera_tui.console.filters import SavedFilters
from kimera_tui.console.friends import changed_values, find_friends_file, report_changed_values
from kimera_tui.console.guard import Guard
from kimera_tui.console.permissions import Permissions
from kimera_tui.console.runs import Runs
from kimera_tui.console.workflows import Workflows
from kimera_tui.documents.store import workflows_folder
from kimera_tui.errors import ConfigError
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import Clock, SystemClock
from kimera_tui.runs.journal.journal import Journal

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Console:
    """The console without its screen.

    As a context manager it first warns about friends.yaml, and is closed at the end.
    """

    friends: Mapping[str, Friend]
    friends_file: Path
    friends_problem: str
    """Why friends.yaml could not be read, or an empty string."""
    bus: EventBus
    clock: Clock
    guard: Guard
    permissions: Permissions
    journal: Journal
    connection: Connection
    filters: SavedFilters
    runs: Runs
    workflows: Workflows
    say: Callable[[str], None] = logger.warning
    """Called with notices for people, where no screen shows them."""

    async def start(self) -> None:
        """Bring the broker up; progress and failure are published as events."""
        await self.connection.start()

    async def close(self) -> None:
        """Stop watching, close connections, and let an embedded broker go."""
        await self.connection.close()

    async def __aenter__(self) -> Console:
        if self.friends:
            report_changed_values(self.friends_file, self.say)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def friends_notice(self) -> Sequence[str]:
        """Which values of friends.yaml earlier versions read otherwise; empty once reported."""
        return changed_values(self.friends_file) if self.friends else ()

    def need_friends(self) -> None:
        """Raise ConfigError if friends.yaml could not be read."""
        if self.friends_problem:
            first, _, rest = self.friends_problem.partition("\n")
            raise ConfigError(first, hint=rest)


def build_console(
    environ: Mapping[str, str] | None = None,
    *,
    read_only: bool = False,
    asks: bool = False,
    say: Callable[[str], None] = logger.warning,
) -> Console:
    """The real console; reads friends.yaml and nothing else.

    Args:
        environ: The environment; the process's own when None.
        read_only: Whether nothing may be sent or revoked.
        asks: Whether somebody is there to decide on uncertain steps.
        say: Called with notices about the journal, where no screen shows ``journal.notice``.
    """
    environ = dict(os.environ if environ is None else environ)
    path, friends, problem = _friends_of(environ)
    bus, clock = TaskManager.events, SystemClock()
    journal = Journal(state_dir() / "runs.db", clock)
    guard = Guard(read_only, friends)
    permissions = Permissions(environ, path, friends)
    connection = Connection(environ, friends, permissions, journal, bus, clock, asks=asks, say=say)
    filters = SavedFilters()
    return Console(
        friends=friends,
        friends_file=path,
        friends_problem=problem,
        bus=bus,
        clock=clock,
        guard=guard,
        permissions=permissions,
        journal=journal,
        connection=connection,
        filters=filters,
        runs=Runs(connection, journal, guard, filters, friends, clock),
        workflows=Workflows(
            connection, journal, guard, permissions, friends, workflows_folder(environ)
        ),
        say=say,
    )


def _friends_of(environ: Mapping[str, str]) -> tuple[Path, Mapping[str, Friend], str]:
    """friends.yaml, the friends in it, and why it could not be read."""
    path = friends_path(environ)
    try:
        path = find_friends_file(environ)
        return path, load_friends(path), ""
    except ConfigError as error:
        return path, {}, "\n".join(filter(None, [str(error), error.hint]))
