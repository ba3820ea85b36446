"""Everything that the modes draw: runs and vitals folded from the bus, selection, composer."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.console.console import Console
from kimera_tui.errors import KimeraError
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.runs.events import RunEnded, RunStarted
from kimera_tui.runs.index import RunIndex
from kimera_tui.ui.compose.composer import Composer
from kimera_tui.ui.runs.event_pane import RING, EventLine, event_line
from kimera_tui.ui.selection import Selection
from kimera_tui.ui.widgets.status_line import Vitals


class ConsoleState:
    """The state of a console. Events change it in ``take_in`` only.

    Args:
        services: Tell what a run usually takes.
    """

    def __init__(self, services: Console) -> None:
        self._services = services
        self.run_index = RunIndex()
        self.vitals = Vitals(read_only=services.guard.read_only)
        self.selection = Selection()
        self.composer = Composer()
        self.usual: dict[str, tuple[float, float]] = {}
        """Median and 95th percentile of running times, in seconds, by friend.task."""
        self.usual_runs: dict[str, tuple[float, float]] = {}
        """The same of whole runs, by name."""
        self.wanted_run: str | None = None
        """The run that Live is to show next."""
        self._backlog: deque[EventLine] = deque(maxlen=RING)

    @property
    def in_flight(self) -> int:
        """How many steps are sent and not ended, in all runs."""
        return sum(run.in_flight for run in self.run_index.runs.values() if run.ended is None)

    @property
    def cancelling(self) -> tuple[int, int] | None:
        """How many tasks of the runs being cancelled have ended, of how many; None for no run."""
        counts = [
            each for run in self.run_index.runs.values() if (each := run.cancelling) is not None
        ]
        return (sum(done for done, _ in counts), sum(of for _, of in counts)) if counts else None

    def take_in(self, events: list[Any]) -> list[RunStarted]:
        """Fold events in; returns the runs that started."""
        shown = [self._fold(event) for event in events]
        lines = [line for event in shown if (line := event_line(event, self.run_index)) is not None]
        self._backlog.extend(lines)
        vitals = self.vitals
        for event in shown:
            if isinstance(event, BrokerChanged):
                vitals = vitals.with_broker(event)
            elif isinstance(event, ClusterSeen):
                vitals = vitals.with_view(event.view)
            elif isinstance(event, ConnectionLost | ConnectionBack):
                vitals = vitals.with_connection(event)
            elif isinstance(event, RunEnded) and event.run_id in self.run_index.runs:
                self.composer.run_ended(self.run_index.runs[event.run_id].name)
        self.vitals = vitals.counted(vitals.in_flight, len(lines), vitals.dropped)
        return [event for event in shown if isinstance(event, RunStarted)]

    def _fold(self, event: Any) -> Any:
        """Take an event into the index; returns it as it may be shown, except for its result."""
        return self.run_index.take(event, results=False)

    def count(self, dropped: int) -> None:
        """Bring the vitals up to date.

        Args:
            dropped: Events lost so far because they came too fast.
        """
        vitals = self.vitals.with_cancelling(self.cancelling)
        self.vitals = vitals.counted(self.in_flight, 0, dropped)

    async def learn_usual(self, started: RunStarted) -> None:
        """Learn how long a run and its tasks usually take, where the journal can be read."""
        with contextlib.suppress(KimeraError):
            if (usual := await self._services.journal.usual_of_run(started.name)) is not None:
                self.usual_runs[started.name] = usual
        for friend, task_name in {
            (task.friend, task.task_name) for _, task in started.plan.leaves()
        }:
            with contextlib.suppress(KimeraError):
                if (usual := await self._services.journal.usual(friend, task_name)) is not None:
                    self.usual[f"{friend}.{task_name}"] = usual

    def take_backlog(self) -> list[EventLine]:
        """Events that the event pane has not shown yet."""
        lines = list(self._backlog)
        self._backlog.clear()
        return lines

    def take_wanted_run(self) -> str | None:
        """The run to put the cursor on, once."""
        if self.wanted_run not in self.run_index.runs:
            return None
        wanted, self.wanted_run = self.wanted_run, None
        return wanted
