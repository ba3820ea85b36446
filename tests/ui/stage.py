"""A console with nothing behind it: the clock stands still, and tests put events on the bus."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.worker import Worker

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.friends import Friend, load_friends
from kimera_tui.console.connection import Connection
from kimera_tui.console.console import Console
from kimera_tui.console.filters import SavedFilter, SavedFilters
from kimera_tui.console.guard import Guard
from kimera_tui.console.permissions import Permissions
from kimera_tui.console.runs import Runs
from kimera_tui.console.workflows import Workflows
from kimera_tui.documents.calls import Workflow
from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import header_of
from kimera_tui.execution.cancel import Cancelled
from kimera_tui.execution.detach.blockers import Blocker, Ground, find_blockers
from kimera_tui.execution.detach.handover import CannotDetach
from kimera_tui.execution.planning import DocumentPlanner, plan_of
from kimera_tui.execution.preflight import Facts
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.execution.runner import NO_INPUTS, Decision, Runner
from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.stopping.stop_all import Stopped
from kimera_tui.runs.events import RunDetached, RunEnded, RunStarted
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.recovery import Recovery, Resumed
from kimera_tui.runs.search.query import RunRow, parse, resolve
from kimera_tui.ui.app import KimeraApp
from tests import quick_screen
from tests.runs.search.plain_search import meets

NOON = 1_800_000_000.0
FRIENDS = load_friends(Path(__file__).parent.parent.parent / "friends.yaml")
VIEW = ClusterView(
    at=NOON,
    queues={"demo@kimera": frozenset(friend.queue for friend in FRIENDS.values())},
    tasks={
        "demo@kimera": frozenset(
            f"{friend.route}.{task}" for friend in FRIENDS.values() for task in friend.tasks
        )
    },
)
"""A worker that knows every demo task."""
SIZES = [(80, 24), (120, 36), (200, 60)]


class StillClock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class StageJournal(Journal):
    """Reads what was told on the stage; writes nothing."""

    problem = ""
    """As the console shows it."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.events: list[object] = []
        super().__init__(Path("/nonexistent/runs.db"), self.clock)

    async def runs(
        self, search: str = "", limit: int = 200, saved: Mapping[str, str] | None = None
    ) -> list[RunRow]:
        index = RunIndex()
        index.apply_all(self.events)
        rows = [
            RunRow(
                run_id=run.run_id,
                name=run.name,
                status=run.status.value,
                started=run.started,
                ended=run.ended,
                done=run.done,
                total=run.total,
                friends=tuple({step.friend for step in run.steps.values()}),
                tasks=tuple(step.task_name for step in run.steps.values()),
                error="",
                parent="",
            )
            for run in reversed(index.runs.values())
        ]
        wanted = resolve(parse(search), saved or {})
        return [row for row in rows if meets(wanted, row, self.clock.now())]

    async def events_of(self, run_id: str) -> list[Any]:
        index = RunIndex()
        found = []
        for event in self.events:
            changed = index.apply(event)
            place = index.place_of(getattr(event, "task_id", ""))
            if changed == run_id or (place is not None and place[0].run_id == run_id):
                found.append(event)
        return found

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        return None

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        return None


class StageRunner(Runner):
    """Announces what it starts, and writes down what else it is asked to do."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.refused: Sequence[Blocker] = ()
        """What keeps the rest of a run from being detached."""

    def start(self, workflow: Workflow) -> str:
        self.stage.launched.append(workflow)
        run_id = self.stage.new_id()
        return self.begin(run_id, workflow.name, plan_of(workflow.root, self.stage.new_id))

    def run(self, document: Document, run_inputs: RunInputs = NO_INPUTS) -> str:
        self.stage.documents.append((document, run_inputs))
        run_id = self.stage.new_id()
        plan = DocumentPlanner(self.stage.new_id).plan(document)
        header = header_of(document)
        return self.begin(run_id, document.name, plan, inputs=run_inputs.inputs, header=header)

    def begin(self, run_id: str, name: str, plan: Node, **fields: Any) -> str:
        self.stage.plans.append(list(plan.leaves()))
        at = self.stage.clock.now()
        self.stage.publish(RunStarted(at=at, run_id=run_id, name=name, plan=plan, **fields))
        return run_id

    async def blockers(self, document: Document) -> Sequence[Blocker]:
        friends = {name: friend.as_mapping() for name, friend in self.stage.friends.items()}
        return find_blockers(DocumentPlanner(self.stage.new_id).plan(document), Ground(friends))

    async def detach(self, document: Document, run_inputs: RunInputs = NO_INPUTS) -> str:
        run_id = self.run(document, run_inputs)
        self.stage.publish(RunDetached(at=self.stage.clock.now(), run_id=run_id, paths=("0",)))
        return run_id

    async def detach_rest(self, run_id: str) -> None:
        self.stage.acts.append(("detach", run_id))
        if self.refused:
            raise CannotDetach(self.refused)
        self.stage.publish(RunDetached(at=self.stage.clock.now(), run_id=run_id, paths=("1",)))

    async def resume(self, run_id: str, run_inputs: RunInputs = NO_INPUTS) -> Resumed:
        self.stage.acts.append(("resume", run_id))
        return Resumed(run_id, "")

    async def decide(
        self, run_id: str, path: str, what: Decision, who: str, result: Any = None
    ) -> None:
        self.stage.acts.append((run_id, path, what, result))


class StageConnection(Connection):
    """A broker that comes up when a test says so, at once by default."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(
            {}, stage.friends, stage.permissions, stage.journal, stage.bus, stage.clock
        )
        self.stage = stage
        self.up = asyncio.Event()
        self.up.set()

    async def start(self) -> None:
        label = "embedded valkey 9.1.2"
        if self.up.is_set():
            self.stage.publish(BrokerChanged(at=NOON, phase="ready", label=label))
            self.stage.publish(ClusterSeen(at=NOON, view=VIEW))
        else:
            self.stage.publish(BrokerChanged(at=NOON, phase="starting", label=label))

    async def runner(self) -> StageRunner:
        await self.up.wait()
        return self.stage.runner

    async def ready_runner(self) -> StageRunner:
        return await self.runner()

    def poll_workers(self) -> None:
        self.stage.asked += 1

    async def close(self) -> None:
        self.stage.closed = True


class StageRuns(Runs):
    """Runs whose tasks no engine knows."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(
            stage.connection, stage.journal, stage.guard, stage.filters, stage.friends, stage.clock
        )
        self.stage = stage

    async def recover(self) -> Recovery:
        return self.stage.recovery

    async def replay(self, run_id: str, request: ReplayRequest) -> str:
        self.stage.acts.append((run_id, request))
        return run_id

    async def cancel(self, run_id: str) -> Cancelled:
        self.stage.acts.append(run_id)
        return self.stage.cancelled or Cancelled(
            run_id, "Cancelled: 1 revoked, 1 never sent. Acknowledged by demo@kimera."
        )

    async def stop(self, task_id: str, *, terminate: bool, signal: str) -> Stopped:
        self.stage.acts.append((task_id, terminate, signal))
        receipts, at = self.stage.receipts, self.stage.clock.now()
        self.stage.publish(
            e.RevokeSent(at=at, task_id=task_id, terminate=terminate, receipts=receipts, asked=True)
        )
        return Stopped(task_id, receipts=receipts)

    async def keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> str:
        self.stage.acts.append(("keep revoking", list(unheard)))
        return "Acknowledged by late@kimera."

    async def export(self, run_id: str) -> Path:
        return Path(f"run-{run_id}.json")

    async def save_value(self, name: str, text: str) -> Path:
        self.stage.acts.append(("save", name, text))
        return Path(name)


class StageFilters(SavedFilters):
    """Saved filters that are in no file."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.problems: dict[str, str] = {}

    async def list(self) -> Sequence[SavedFilter]:
        return [
            SavedFilter(name, line, self.problems.get(name, ""))
            for name, line in self.lines.items()
        ]

    async def save(self, name: str, line: str) -> None:
        self.lines[name] = line

    async def delete(self, name: str) -> None:
        del self.lines[name]

    async def named_in(self, search: str) -> Mapping[str, str]:
        return self.lines


class StageWorkflows(Workflows):
    """Real files and checks; what is known of the workers is scripted."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        super().__init__(
            stage.connection, stage.journal, stage.guard, stage.permissions, stage.friends, folder
        )
        self.stage = stage

    async def facts(self, document: Document) -> Facts:
        return self.stage.facts_now


class Stage(Console):
    """The real console on a scripted journal and a scripted engine.

    Starting a run announces its plan and nothing else. Everything that the screen calls is the
    console's own, or overrides it with the same types.
    """

    clock: StillClock
    friends: dict[str, Friend]
    journal: StageJournal
    connection: StageConnection
    filters: StageFilters

    def __init__(
        self,
        friends: Mapping[str, Friend] = FRIENDS,
        problem: str = "",
        folder: Path = Path("/nonexistent/workflows"),
        journal: StageJournal | None = None,
    ) -> None:
        self.friends = dict(friends)
        self.notices: list[str] = []
        self.friends_file = Path("friends.yaml")
        self.friends_problem = problem
        self.friends_lines: Sequence[str] = ()
        self.say = self.notices.append
        self.bus = EventBus()
        self.guard = Guard(read_only=False, friends=self.friends)
        self.permissions = Permissions({}, self.friends_file, self.friends)
        self.journal = journal or StageJournal()
        self.clock, self.events = self.journal.clock, self.journal.events
        self.facts_now = Facts(view=VIEW)
        self.launched: list[Workflow] = []
        self.documents: list[tuple[Document, RunInputs]] = []
        self.plans: list[list[tuple[str, PlannedTask]]] = []
        self.recovery = Recovery()
        self.acts: list[Any] = []
        self.receipts: tuple[Receipt, ...] = (
            Receipt("demo@kimera", "flagged as revoked", ok=True),
        )
        self.cancelled: Cancelled | None = None
        self.asked = 0
        self.closed = False
        self._ids = itertools.count(1)
        self.runner = StageRunner(self)
        self.connection = StageConnection(self)
        self.filters = StageFilters()
        self.runs = StageRuns(self)
        self.workflows = StageWorkflows(self, folder)
        assert all(hasattr(self, field.name) for field in fields(Console))

    def friends_notice(self) -> Sequence[str]:
        return self.friends_lines

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012}"

    def publish(self, *events: object) -> None:
        for event in events:
            self.events.append(event)
            self.bus.publish(event)

    # What happens to a step, in the order in which it happens

    def sent(self, task: PlannedTask, **kwargs: Any) -> None:
        friend = self.friends[task.friend]
        name = f"{friend.route}.{task.task_name}"
        self.publish(
            e.Sending(
                at=self.clock.now(),
                task_id=task.task_id,
                task=name,
                friend=task.friend,
                queue=friend.queue,
                args=task.args,
                kwargs={**task.kwargs, **kwargs},
                secret=task.secret,
            ),
            e.Dispatched(
                at=self.clock.now(),
                task_id=task.task_id,
                task=name,
                friend=task.friend,
                queue=friend.queue,
            ),
        )

    def started(self, task: PlannedTask, worker: str = "demo@kimera") -> None:
        self.publish(
            e.StateSeen(
                at=self.clock.now(),
                task_id=task.task_id,
                state="STARTED",
                meta={"hostname": worker},
            )
        )

    def progress(self, task: PlannedTask, done: int, total: int) -> None:
        meta = {"current": done, "total": total}
        at = self.clock.now()
        self.publish(e.StateSeen(at=at, task_id=task.task_id, state="PROGRESS", meta=meta))

    def succeeded(self, task: PlannedTask, result: Any) -> None:
        at, task_id = self.clock.now(), task.task_id
        self.publish(
            e.Polled(at=at, task_id=task_id, attempt=1, state="SUCCESS", next_delay=0),
            e.Succeeded(at=at, task_id=task_id, result=result),
            e.CallbackStarted(at=at, task_id=task_id, callback="hand on the result"),
            e.CallbackFinished(at=at, task_id=task_id, callback="hand on the result"),
        )

    def failed(self, task: PlannedTask, kind: str, message: str, traceback: str = "") -> None:
        self.publish(
            e.Failed(
                at=self.clock.now(),
                task_id=task.task_id,
                error_type=kind,
                error_message=message,
                traceback=traceback,
            )
        )

    def lost(self, task: PlannedTask, reason: str) -> None:
        """A task ends, and nobody can read its result."""
        at = self.clock.now()
        self.publish(e.EndedUnknown(at=at, task_id=task.task_id, reason=reason))

    def ended(self, run_id: str, error: str = "") -> None:
        self.publish(RunEnded(at=self.clock.now(), run_id=run_id, error=error))


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until everything that was asked for is on the screen."""
    app = pilot.app
    assert isinstance(app, KimeraApp)
    for _ in range(3):
        await until(pilot, lambda: not app.typed_ahead.is_busy)
        await pilot.pause()
        app.flush()
        waited = (
            "launch",
            "history-find",
            "history-read",
            "compose-rest",
            "compose-check",
            "compose-last",
            "saved",
            "replay-plan",
            "do-yank",
            "do-save-value",
        )
        if launching := [worker for worker in app.workers if worker.group in waited]:
            await app.workers.wait_for_complete(launching)
        await _run_begun(app)
    await asyncio.sleep(quick_screen.LONGEST_DELAY)
    app.flush()
    await pilot.pause()
    await app.animator.wait_until_complete()
    quick_screen.paint(app)


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait until the screen has come to something."""
    async with asyncio.timeout(10):
        while not holds():
            await pilot.pause()


def is_asking(worker: Worker[Any]) -> bool:
    """Whether a worker does what was asked for, or asks something itself."""
    return worker.group.startswith("do-") or worker.group == "compose-look"


async def _run_begun(app: KimeraApp) -> None:
    """Wait until what was asked to be run, opened or saved is, or asks something itself."""
    async with asyncio.timeout(10):
        while not isinstance(app.screen, ModalScreen) and any(  # noqa: ASYNC110
            worker.is_running and is_asking(worker) for worker in app.workers
        ):
            await asyncio.sleep(0.01)


def still(app: KimeraApp) -> None:
    """Keep cursors from blinking and toasts from the picture."""
    app.clear_notifications()
    for field in app.screen.query(Input):
        field.cursor_blink = False


def grid(app: App[Any]) -> str:
    """The screen as lines of text."""
    visible_screen_stack.set(app._background_screens)
    strips: Sequence[Any] = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)
