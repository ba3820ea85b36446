"""The real parts, put together: broker, engine, runner and inspector, brought up when needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kimera_tui.cli.export import write_run
from kimera_tui.cli.friends_file import which_file
from kimera_tui.cli.guard import Guard
from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.inspector import ANSWER_SECONDS, ClusterView, Inspector
from kimera_tui.cluster.probe import Probe
from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.paths import state_dir
from kimera_tui.embedded.broker import EmbeddedBroker
from kimera_tui.errors import BrokerUnavailable, ConfigError, KimeraError
from kimera_tui.process import TaskManager
from kimera_tui.process.bus import EventBus
from kimera_tui.process.clock import Clock, SystemClock
from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import StateSeen
from kimera_tui.redaction import mask_urls
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.history import RunRow
from kimera_tui.runs.journal import Journal
from kimera_tui.runs.recovery import Recovery, recover
from kimera_tui.workflows.calls import Workflow, friends_of
from kimera_tui.workflows.runner import Runner

ASK_EVERY = 5.0
"""Seconds between two looks at the workers."""
ASK_IN_FLIGHT = 2.0
"""The same, as long as tasks are in flight, or the broker is away."""
ASK_AT_START = 0.3
"""Seconds for an answer, and between two looks, as long as no worker has answered."""


class Parts:
    """What stands behind the screen and behind the commands.

    Making it reads friends.yaml and nothing else. ``start`` brings the broker up: the operator's
    own when ``BROKER_URL`` is set, else the embedded one.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, read_only: bool = False
    ) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self.bus: EventBus = TaskManager.events
        self.clock: Clock = SystemClock()
        self.embedded = not self._environ.get("BROKER_URL")
        self.friends: Mapping[str, Friend] = {}
        self.friends_problem = ""
        self.friends_file = friends_path(self._environ)
        try:
            self.friends_file = which_file(self._environ)
            self.friends = load_friends(self.friends_file)
        except ConfigError as error:
            self.friends_problem = "\n".join(filter(None, [str(error), error.hint]))
        self._guard = Guard(read_only, self.friends)
        self.journal = Journal(state_dir() / "runs.db", self.clock)
        self._broker: EmbeddedBroker | None = None
        self._manager: TaskManager | None = None
        self._runner: Runner | None = None
        self._inspector: Inspector | None = None
        self._probe: Probe | None = None
        self._view: ClusterView | None = None
        self._seen_running: set[str] = set()
        self._states = self.bus.subscribe()
        self._up = asyncio.Event()
        self._failure: KimeraError | None = None
        self._ask_now = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    @property
    def _profile(self) -> str:
        """Which broker is in use, without its password."""
        return "embedded broker" if self.embedded else mask_urls(self._environ["BROKER_URL"])

    @property
    def read_only(self) -> bool:
        """Whether nothing may be sent or revoked here."""
        return self._guard.read_only

    @property
    def journal_problem(self) -> str:
        """Why runs are not saved, or an empty string."""
        return self.journal.problem

    @property
    def journal_notice(self) -> str:
        """What else is to be known of the journal, such as that it was damaged and begun anew."""
        return self.journal.notice

    async def open_journal(self) -> None:
        """Open the journal alone, for commands that need no broker."""
        await self.journal.open()

    async def start(self) -> None:
        """Bring the broker up and keep asking the workers; failure is told as an event."""
        await self.journal.open()
        self.journal.follow(self.bus)
        label = self._profile
        self._tell(BrokerChanged(at=self.clock.now(), phase="starting", label=label))
        try:
            label = await self._bring_up() or label
        except KimeraError as error:
            self._failure = error
            self._tell_failed(label, error)
        else:
            await self._look_at_broker(label)
            self._asking = asyncio.get_running_loop().create_task(self._keep_asking(label))
        finally:
            self._up.set()

    async def _look_at_broker(self, label: str) -> None:
        """Ask the operator's own broker and result backend whether they are there."""
        before = self._failure
        self._failure = await self._probe.look() if self._probe is not None else None
        if self._failure is not None:
            if before is None or before.message != self._failure.message:
                self._tell_failed(label, self._failure)
        elif before is not None or self._view is None:
            self._tell(BrokerChanged(at=self.clock.now(), phase="ready", label=label))

    def _tell_failed(self, label: str, error: KimeraError) -> None:
        self._tell(
            BrokerChanged(at=self.clock.now(), phase="failed", label=label, message=str(error))
        )

    async def launch(self, workflow: Workflow) -> str:
        """Start a run as soon as the broker is up; returns its id.

        Raises:
            UsageError: that may not be sent here.
            KimeraError: broker or result backend can't be used; nothing was sent.
        """
        self._guard.may_send(friends_of(workflow.root))
        runner = await self.runner()
        if self._failure is not None:
            raise BrokerUnavailable(f"{self._failure.message} Nothing was sent.")
        return runner.start(workflow)

    async def runner(self) -> Runner:
        """The runner, once the broker is up; raises what kept it from coming up."""
        await self._up.wait()
        if self._runner is None:
            raise self._failure or BrokerUnavailable("The broker is not there.")
        return self._runner

    async def manager(self) -> TaskManager:
        """The TaskManager, once the broker is up."""
        await self.runner()
        return TaskManager()

    async def inspector(self) -> Inspector:
        """The inspector of the default broker, once that is up."""
        await self.runner()
        if self._inspector is None:
            raise BrokerUnavailable("The broker is not there.")
        return self._inspector

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task; returns which workers acknowledged."""
        self._guard.may_act()
        return await (await self.manager()).revoke(task_id, terminate, signal)

    async def cancel(self, run_id: str) -> Sequence[Receipt]:
        """Send nothing more of a run and revoke what is in flight of it."""
        self._guard.may_act()
        return await (await self.runner()).cancel(run_id)

    async def runs(self, search: str, limit: int = 200) -> Sequence[RunRow]:
        """Past runs, newest first; UsageError for a search that can't be understood."""
        return await self.journal.runs(search, limit)

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run, in its order, for a fold."""
        return await self.journal.events_of(run_id)

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        """Median and 95th percentile of a task's running time, in seconds; None for too few."""
        return await self.journal.usual(friend, task_name)

    async def replay(self, run_id: str, mode: str, path: str) -> str:
        """Start a new run from a past one; returns its id."""
        events = await self.events_of(run_id)
        plans = [event.plan for event in events if isinstance(event, RunStarted)]
        self._guard.may_send({task.friend for plan in plans for _, task in plan.leaves()})
        return await (await self.runner()).replay(run_id, mode, path)

    async def recover(self) -> Recovery:
        """Go on with the runs that a console left, once the broker is up; says what became."""
        if self._guard.read_only:
            return Recovery()
        runner = await self.runner()
        return await recover(self.journal, runner.resume, self._profile)

    async def export(self, run_id: str) -> Path:
        """Write a run with its events to a file in the working directory, as JSON."""
        events = await self.events_of(run_id)
        return await asyncio.to_thread(write_run, Path.cwd(), run_id, events)

    def ask_workers(self) -> None:
        """Have the workers asked now."""
        self._ask_now.set()

    async def close(self) -> None:
        """Stop watching, release what is pending, and drop the lease on the embedded broker."""
        if self._asking is not None:
            self._asking.cancel()
        if self._runner is not None:
            await self._runner.stop()
        if self._inspector is not None:
            self._inspector.close()
        if self._probe is not None:
            self._probe.close()
        if self._manager is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._manager.aclose(), 2)
        self._states.close()
        await self.journal.close()
        if self._broker is not None:
            await asyncio.to_thread(self._broker.stop)

    async def _bring_up(self) -> str:
        """Start what is to be started; returns the broker's name when that is known only now."""
        environ = {**self._environ, "CELERY": "1"}
        label = ""
        if self.embedded:
            self._broker = EmbeddedBroker()
            info = await asyncio.to_thread(self._broker.start)
            environ |= {"BROKER_URL": info.url, "RESULT_BACKEND": info.url}
            label = f"embedded {info.server}"
        TaskManager.reset(Bootstrap(environ, self.friends), clock=self.clock)
        manager = TaskManager()
        app = await asyncio.to_thread(lambda: manager.celery_app)
        self._inspector = Inspector(app)
        self._probe = None if self.embedded else Probe(app)
        self._manager = manager
        self._runner = Runner(
            manager,
            self.clock,
            findings=self._findings,
            journal=self.journal,
            profile=self._profile,
        )
        return label

    async def _keep_asking(self, label: str) -> None:
        """Look at the broker and its workers again and again; at what is in flight more often."""
        if self._inspector is None or self._runner is None:
            return
        answered = False
        while True:
            if self._failure is None:
                view = await self._inspector.look(ANSWER_SECONDS if answered else ASK_AT_START)
                self._view, answered = view, bool(view.workers)
                self._tell(ClusterSeen(at=self.clock.now(), view=view))
                await self._tell_who_runs()
            self._ask_now.clear()
            pause = ASK_EVERY if answered and not self._runner.in_flight else ASK_IN_FLIGHT
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._ask_now.wait(), pause if answered or self._failure else ASK_AT_START
                )
            if self._probe is not None and (self._failure or not answered):
                await self._look_at_broker(label)

    async def _tell_who_runs(self) -> None:
        """Tasks whose workers don't announce a start are found by asking what is active."""
        if self._inspector is None or self._runner is None:
            return
        ours = self._runner.in_flight
        heard = [event for event in self._states.drain() if isinstance(event, StateSeen)]
        self._seen_running = (self._seen_running | {event.task_id for event in heard}) & ours
        if not ours - self._seen_running:
            return
        for task_id, worker in (await self._inspector.active(ours - self._seen_running)).items():
            meta, at = {"hostname": worker}, self.clock.now()
            self._tell(StateSeen(at=at, task_id=task_id, state="STARTED", meta=meta))

    def _findings(self, friend: str, task_name: str) -> list[str]:
        """What the workers' latest answers say against a task; nothing where none answered yet."""
        config, view = self.friends.get(friend), self._view
        if config is None or config.broker is not None or view is None or not view.workers:
            return []
        return view.findings(config.queue, f"{config.route}.{task_name}")

    def _tell(self, event: object) -> None:
        self.bus.publish(event)
