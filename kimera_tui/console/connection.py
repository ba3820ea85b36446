"""The broker, the engine, the runner and the monitor, brought up when needed."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.cluster.monitor import Monitor, publish_failure
from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.console.permissions import Permissions
from kimera_tui.embedded.broker import EmbeddedBroker
from kimera_tui.errors import BrokerUnavailable, KimeraError, UsageError
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import Clock
from kimera_tui.process.loop.shield import shielded
from kimera_tui.redaction import redact_text
from kimera_tui.runs.journal.journal import Journal

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
"""Time limit for most steps of closing."""
JOURNAL_SECONDS = 20.0
"""Time limit for writing what is still pending."""


class Connection:
    """Connects to the operator's broker if ``BROKER_URL`` is set, else to the embedded one.

    Args:
        environ: The environment.
        friends: The configured friends.
        permissions: What friends.yaml may read.
        journal: Where runs are kept; opened and closed with the connection.
        bus: Where progress and failure are published.
        clock: Where the time comes from.
        asks: Whether somebody is there to decide on uncertain steps.
        say: Called with notices about the journal.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        friends: Mapping[str, Friend],
        permissions: Permissions,
        journal: Journal,
        bus: EventBus,
        clock: Clock,
        *,
        asks: bool = False,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self._environ = environ
        self._friends = friends
        self._permissions = permissions
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._asks = asks
        self._say = say
        self.embedded = not environ.get("BROKER_URL")
        """Whether the broker is the console's own, which stops with it."""
        self.started_runner: Runner | None = None
        """The runner; None before the broker is up."""
        self.failure: KimeraError | None = None
        """Why the broker never came up, or None."""
        self._monitor: Monitor | None = None
        self._broker: EmbeddedBroker | None = None
        self._manager: TaskManager | None = None
        self._starting = False
        self._up = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @property
    def profile(self) -> str:
        """Which broker is in use, without its password."""
        return "embedded broker" if self.embedded else redact_text(self._environ["BROKER_URL"])

    def need_lasting_workers(self) -> None:
        """Raise UsageError where the workers stop with the console."""
        if self.embedded:
            raise UsageError(
                "The workers of the private broker stop with Kimera, so nothing can be detached."
                " Set BROKER_URL to use your own broker."
            )

    async def open_journal(self) -> None:
        """Open the journal alone, for commands that read it first."""
        await self._open_journal()
        if self._journal.may_be_read:
            why = self._journal.problem.partition(";")[0]
            self._say(f"warning: {why}; it can still be read.")

    async def _open_journal(self) -> None:
        old_notice = self._journal.notice
        await self._journal.open()
        if (notice := self._journal.notice) not in ("", old_notice):
            self._say(f"warning: {notice}")

    async def start(self) -> None:
        """Bring the broker up and keep polling the workers; a second call does nothing.

        A failure is published as an event.
        """
        if self._starting:
            return
        self._starting = True
        await self._open_journal()
        self._journal.follow(self._bus)
        label = self.profile
        self._bus.publish(BrokerChanged(at=self._clock.now(), phase="starting", label=label))
        try:
            label = await self._bring_up() or label
        except KimeraError as error:
            self.failure = error
            publish_failure(self._bus, self._clock, label, error)
        else:
            monitor = await self.monitor()
            await monitor.probe_broker(label)
            self._polling = asyncio.get_running_loop().create_task(monitor.run(label))
        finally:
            self._up.set()
            # Everything loaded so far stays. A collection that walks all of it blocks the loop.
            gc.freeze()

    async def runner(self) -> Runner:
        """The runner, once the broker is up; raises what kept it from coming up."""
        await self._up.wait()
        if self.started_runner is None:
            raise self._why_down()
        return self.started_runner

    async def ready_runner(self) -> Runner:
        """The runner, once tasks can be sent; raises what prevents that."""
        runner = await self.runner()
        if (failure := (await self.monitor()).failure) is not None:
            raise BrokerUnavailable(f"{failure.message} Nothing was sent.")
        return runner

    async def manager(self) -> TaskManager:
        """The TaskManager, once the broker is up; raises what kept it from coming up."""
        await self.runner()
        return TaskManager()

    async def monitor(self) -> Monitor:
        """The monitor of the default broker, once that is up; raises what prevented it."""
        if self._monitor is None:
            await self._up.wait()
        if self._monitor is None:
            raise self._why_down()
        return self._monitor

    def view_for(self, friend: str) -> ClusterView | None:
        """What is known of the workers of a friend's own broker; None while nothing is."""
        return None if self._monitor is None else self._monitor.view_for(friend)

    def poll_workers(self) -> None:
        """Poll the workers now rather than at the next turn."""
        if self._monitor is not None:
            self._monitor.poll_now()

    async def close(self) -> None:
        """Stop watching, release what is pending, and drop the lease on the embedded broker.

        Runs to its end even if cancelled, within bounds of time.
        """
        await shielded(self._close())

    async def _close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
        if self.started_runner is not None:
            await _within(CLOSE_SECONDS, self.started_runner.stop())
        if self._monitor is not None:
            self._monitor.close()
        if self._manager is not None:
            await _within(2, self._manager.aclose())
        await _within(JOURNAL_SECONDS, self._journal.close())
        if self._broker is not None:
            await _within(12, asyncio.to_thread(self._broker.stop))

    async def _bring_up(self) -> str:
        """Start everything; returns the broker's name if that is only known now."""
        environ = {**self._environ, "CELERY": "1"}
        label = ""
        if self.embedded:
            self._broker = EmbeddedBroker()
            info = await asyncio.to_thread(self._broker.start)
            environ |= {"BROKER_URL": info.url, "RESULT_BACKEND": info.url}
            label = f"embedded {info.server}"
        variables = self._permissions.variables()
        TaskManager.reset(Bootstrap(environ, self._friends, variables), clock=self._clock)
        self._manager = manager = TaskManager()
        await asyncio.to_thread(lambda: manager.celery_app)
        self.started_runner = Runner(
            manager,
            self._clock,
            journal=self._journal,
            profile=self.profile,
            asks=self._asks,
        )
        self._monitor = Monitor(manager, self._clock, embedded=self.embedded)
        return label

    def _why_down(self) -> KimeraError:
        return self.failure or BrokerUnavailable("The broker is not up.")


async def _within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Await one step of closing; if it fails or takes too long, the others still run."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        logger.warning("Not closed in time: %s", work)
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        logger.error("Closing failed: %s", error, exc_info=error)
