"""The real parts, put together: broker, engine, runner and inspector, brought up when needed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.cluster.inspector import Inspector
from kimera_tui.cluster.monitor import Lookout, tell_failed
from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.paths import state_dir
from kimera_tui.config.trust import Access
from kimera_tui.console.detach_parts import DetachParts
from kimera_tui.console.export import write_run, write_text
from kimera_tui.console.filter_parts import FilterParts
from kimera_tui.console.friends_file import changed_values, which_file
from kimera_tui.console.guard import Guard
from kimera_tui.console.permissions import Permissions
from kimera_tui.console.ports import Workflows
from kimera_tui.console.workflow_parts import WorkflowParts
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import workflows_folder
from kimera_tui.embedded.broker import EmbeddedBroker
from kimera_tui.errors import BrokerUnavailable, ConfigError, KimeraError
from kimera_tui.execution.preflight import Facts, queues_of, tasks_of
from kimera_tui.execution.runner import Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import Clock, SystemClock
from kimera_tui.process.loop.shield import shielded
from kimera_tui.redaction import redact_text
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.search.query import RunRow

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
"""The longest that most steps of closing may take."""
JOURNAL_SECONDS = 20.0
"""For what happened and is not written down yet."""


class Parts(DetachParts, FilterParts):
    """What stands behind the screen and behind the commands.

    Making it reads friends.yaml and nothing else. ``start`` brings the broker up: the operator's
    own when ``BROKER_URL`` is set, else the embedded one.

    Args:
        environ: The environment; the process's own when None.
        read_only: Whether nothing may be sent or revoked.
        asks: Whether somebody is there to answer for uncertain steps.
        say: Told what is to be known of the journal, for whoever shows no ``journal_notice``.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        read_only: bool = False,
        asks: bool = False,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self._say = say
        self._asks = asks
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
        self.permissions = Permissions(self._environ, self.friends_file, self.friends)
        self.journal = Journal(state_dir() / "runs.db", self.clock)
        self._broker: EmbeddedBroker | None = None
        self._manager: TaskManager | None = None
        self._runner: Runner | None = None
        self._lookout: Lookout | None = None
        self._begun = False
        self._up = asyncio.Event()
        self._failure: KimeraError | None = None
        """Why the broker never came up, or None."""
        self.workflows: Workflows = WorkflowParts(self, workflows_folder(self._environ))
        self._asking: asyncio.Task[None] | None = None

    @property
    def _profile(self) -> str:
        """Which broker is in use, without its password."""
        return "embedded broker" if self.embedded else redact_text(self._environ["BROKER_URL"])

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

    def friends_want(self) -> Sequence[Access]:
        """What friends.yaml asks to read and nobody has allowed."""
        return self.permissions.friends_want()

    def allow_friends(self) -> None:
        """Let friends.yaml read what it asks for now."""
        self.permissions.allow_friends()

    def friends_notice(self) -> Sequence[str]:
        """Lines on what earlier versions read otherwise in friends.yaml; none once said."""
        return changed_values(self.friends_file) if self.friends else ()

    def need_friends(self) -> None:
        """Raise ConfigError where friends.yaml could not be read."""
        if self.friends_problem:
            first, _, rest = self.friends_problem.partition("\n")
            raise ConfigError(first, hint=rest)
        for line in self.friends_notice():
            self._say(f"warning: {line}")

    async def open_journal(self) -> None:
        """Open the journal alone, for commands that look into it first."""
        await self._open_journal()
        if self.journal.may_be_read:
            why = self.journal.problem.partition(";")[0]
            self._say(f"warning: {why}; what is in it can be read.")

    async def _open_journal(self) -> None:
        before = self.journal.notice
        await self.journal.open()
        if (notice := self.journal.notice) not in ("", before):
            self._say(f"warning: {notice}")

    async def start(self) -> None:
        """Bring the broker up, unless that was begun before, and keep asking the workers.

        Failure is told as an event.
        """
        if self._begun:
            return
        self._begun = True
        await self._open_journal()
        self.journal.follow(self.bus)
        label = self._profile
        self._tell(BrokerChanged(at=self.clock.now(), phase="starting", label=label))
        try:
            label = await self._bring_up() or label
        except KimeraError as error:
            self._failure = error
            tell_failed(self.bus, self.clock, label, error)
        else:
            lookout = self._on_lookout()
            await lookout.look_at_broker(label)
            self._asking = asyncio.get_running_loop().create_task(lookout.keep_asking(label))
        finally:
            self._up.set()
            # What is there by now stays. A collection that walks all of it stops the loop for long.
            gc.freeze()

    async def ready_runner(self) -> Runner:
        """The runner, once something can be sent; raises what keeps it from that."""
        runner = await self.runner()
        if (failure := self._on_lookout().failure) is not None:
            raise BrokerUnavailable(f"{failure.message} Nothing was sent.")
        return runner

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
        return self._on_lookout().inspector

    def _on_lookout(self) -> Lookout:
        if self._lookout is None:
            raise self._failure or BrokerUnavailable("The broker is not there.")
        return self._lookout

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task; returns which workers acknowledged."""
        self._guard.may_act()
        return await (await self.manager()).revoke(task_id, terminate, signal)

    async def keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> str:
        """Revoke tasks until workers heard of it; returns how that ended, in a sentence.

        Args:
            unheard: Friend and id of each.
        """
        self._guard.may_act()
        manager = await self.manager()
        by_friend: defaultdict[str, list[str]] = defaultdict(list)
        for friend, task_id in unheard:
            by_friend[friend].append(task_id)
        said = await asyncio.gather(
            *(
                manager.insistence.keep_revoking(manager.friends, friend, ids)
                for friend, ids in by_friend.items()
            )
        )
        return " ".join(dict.fromkeys(said))

    async def runs(self, search: str, limit: int = 200) -> Sequence[RunRow]:
        """Past runs, newest first; UsageError for a search that can't be understood."""
        return await self.journal.runs(search, limit, await self.saved_for(search))

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run, in its order, for a fold."""
        return await self.journal.events_of(run_id)

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        """Median and 95th percentile of a task's running time, in seconds; None for too few."""
        return await self.journal.usual(friend, task_name)

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        """The same of whole runs of a name."""
        return await self.journal.usual_of_run(name)

    async def save_value(self, name: str, text: str) -> Path:
        """Write a text to a new file in the working directory; UsageError where that can't be."""
        return await asyncio.to_thread(write_text, Path.cwd() / name, text)

    async def facts(self, document: Document) -> Facts:
        """What is known now of the workers, queues and past runs that a run would meet."""
        try:
            await self.runner()
        except KimeraError as error:
            return Facts(broker_problem=str(error))
        lookout = self._on_lookout()
        if lookout.view is None or not lookout.view.workers:
            lookout.view = await lookout.inspector.look()
        usual = {}
        for friend, task in tasks_of(document):
            with contextlib.suppress(KimeraError):  # a journal that can't be read knows none
                if (times := await self.usual(friend, task)) is not None:
                    usual[friend, task] = times[0]
        return Facts(
            lookout.view,
            await lookout.depths(queues_of(document, self.friends)),
            usual,
            "" if lookout.failure is None else lookout.failure.message,
        )

    async def export(self, run_id: str) -> Path:
        """Write a run with its events to a file in the working directory, as JSON."""
        events = await self.events_of(run_id)
        return await asyncio.to_thread(write_run, Path.cwd(), run_id, events)

    def ask_workers(self) -> None:
        """Have the workers asked now."""
        if self._lookout is not None:
            self._lookout.ask_now()

    async def close(self) -> None:
        """Stop watching, release what is pending, and drop the lease on the embedded broker.

        Goes on to its end when it is cancelled, and never waits for ever.
        """
        await shielded(self._close())

    async def _close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        if self._runner is not None:
            await _for_a_while(self._runner.stop())
        if self._lookout is not None:
            self._lookout.close()
        if self._manager is not None:
            await _for_a_while(self._manager.aclose(), 2)
        await _for_a_while(self.journal.close(), JOURNAL_SECONDS)
        if self._broker is not None:
            await _for_a_while(asyncio.to_thread(self._broker.stop), 12)

    async def _bring_up(self) -> str:
        """Start what is to be started; returns the broker's name when that is known only now."""
        environ = {**self._environ, "CELERY": "1"}
        label = ""
        if self.embedded:
            self._broker = EmbeddedBroker()
            info = await asyncio.to_thread(self._broker.start)
            environ |= {"BROKER_URL": info.url, "RESULT_BACKEND": info.url}
            label = f"embedded {info.server}"
        variables = self.permissions.variables()
        TaskManager.reset(Bootstrap(environ, self.friends, variables), clock=self.clock)
        manager = TaskManager()
        app = await asyncio.to_thread(lambda: manager.celery_app)
        self._manager = manager
        self._runner = Runner(
            manager,
            self.clock,
            warnings=self._findings,
            journal=self.journal,
            profile=self._profile,
            asks=self._asks,
        )
        runner = self._runner
        self._lookout = Lookout(
            app,
            self.bus,
            self.clock,
            lambda: runner.in_flight,
            runner.is_in_flight,
            embedded=self.embedded,
        )
        return label

    def _findings(self, friend: str, task_name: str) -> list[str]:
        lookout = self._lookout
        return lookout.findings(self.friends.get(friend), task_name) if lookout else []

    def _tell(self, event: object) -> None:
        self.bus.publish(event)


async def _for_a_while(work: Coroutine[Any, Any, None], seconds: float = CLOSE_SECONDS) -> None:
    """Await one step of closing; one that fails or takes too long doesn't keep the others back."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        logger.warning("Not closed in time: %s", work)
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        logger.error("Not closed well: %s", error, exc_info=error)
