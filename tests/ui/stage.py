"""A console on scripted services: the clock stands still, and events are put on the bus by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.cluster.inspector import ClusterView
from kimera_tui.config.friends import Friend, load_friends
from kimera_tui.config.trust import Access
from kimera_tui.console.permissions import Permissions
from kimera_tui.console.ports import SavedFilter, Services
from kimera_tui.console.workflow_parts import WorkflowParts
from kimera_tui.documents.calls import Workflow
from kimera_tui.documents.document import Document
from kimera_tui.documents.header import header_of
from kimera_tui.execution.cancel import Cancelled
from kimera_tui.execution.detach import blockers
from kimera_tui.execution.detach.handover import CannotDetach
from kimera_tui.execution.planning import DocumentPlanner, plan_of
from kimera_tui.execution.preflight import Facts
from kimera_tui.execution.replay import ReplayPlan, Wish, planned_replay
from kimera_tui.execution.run_setup import Given
from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.runs.events import RunDetached, RunEnded, RunStarted
from kimera_tui.runs.index import RunBook
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.recovery import Recovery
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


class Stage:
    """Scripted services: launching announces the plan and nothing else."""

    def __init__(
        self,
        friends: Mapping[str, Friend] = FRIENDS,
        problem: str = "",
        folder: Path = Path("/nonexistent/workflows"),
    ) -> None:
        self.friends = friends
        self.friends_file = Path("friends.yaml")
        self.friends_problem = problem
        self.bus = EventBus()
        self.clock = StillClock()
        self.permissions = Permissions({}, self.friends_file, self.friends)
        self.workflows = WorkflowParts(self, folder)
        self.facts_now = Facts(view=VIEW)
        self.launched: list[Workflow] = []
        self.documents: list[tuple[Document, Given]] = []
        self.plans: list[list[tuple[str, PlannedTask]]] = []
        self.embedded = True
        self.read_only = False
        self.recovery = Recovery()
        self.told: list[object] = []
        self.journal_problem = self.journal_notice = ""
        self.acts: list[Any] = []
        self.filter_lines: dict[str, str] = {}
        self.filter_problems: dict[str, str] = {}
        self.receipts: tuple[Receipt, ...] = (
            Receipt("demo@kimera", "flagged as revoked", ok=True),
        )
        self.cancelled: Cancelled | None = None
        self.refused: Sequence[blockers.Stop] = ()
        self.asked = 0
        self.closed = False
        self._ids = itertools.count(1)

    async def start(self) -> None:
        self.tell(BrokerChanged(at=NOON, phase="ready", label="embedded valkey 9.1.2"))
        self.tell(ClusterSeen(at=NOON, view=VIEW))

    async def recover(self) -> Recovery:
        return self.recovery

    async def launch(self, workflow: Workflow) -> str:
        self.launched.append(workflow)
        run_id = self.new_id()
        plan = plan_of(workflow.root, self.new_id)
        self.plans.append(list(plan.leaves()))
        self.tell(RunStarted(at=self.clock.now(), run_id=run_id, name=workflow.name, plan=plan))
        return run_id

    async def run_document(self, document: Document, given: Given) -> str:
        self.documents.append((document, given))
        run_id = self.new_id()
        plan = DocumentPlanner(self.new_id).plan(document)
        self.plans.append(list(plan.leaves()))
        self.tell(
            RunStarted(
                at=self.clock.now(),
                run_id=run_id,
                name=document.name,
                plan=plan,
                inputs=given.inputs,
                header=header_of(document),
            )
        )
        return run_id

    async def stops(self, document: Document) -> Sequence[blockers.Stop]:
        friends = {name: friend.as_mapping() for name, friend in self.friends.items()}
        return blockers.stops(DocumentPlanner(self.new_id).plan(document), blockers.Ground(friends))

    async def detach_document(self, document: Document, given: Given) -> str:
        run_id = await self.run_document(document, given)
        self.tell(RunDetached(at=self.clock.now(), run_id=run_id, paths=("0",)))
        return run_id

    async def detach_rest(self, run_id: str) -> None:
        self.acts.append(("detach", run_id))
        if self.refused:
            raise CannotDetach(self.refused)
        self.tell(RunDetached(at=self.clock.now(), run_id=run_id, paths=("1",)))

    def friends_want(self) -> Sequence[Access]:
        return self.permissions.friends_want()

    def allow_friends(self) -> None:
        self.permissions.allow_friends()

    async def facts(self, document: Document) -> Facts:
        return self.facts_now

    async def resume(self, run_id: str, given: Given) -> None:
        self.acts.append(("resume", run_id))

    async def runs(self, search: str) -> Sequence[RunRow]:
        book = RunBook()
        book.apply_all(self.told)
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
            for run in reversed(book.runs.values())
        ]
        wanted = resolve(parse(search), self.filter_lines)
        return [row for row in rows if meets(wanted, row, self.clock.now())]

    async def filters(self) -> Sequence[SavedFilter]:
        return [
            SavedFilter(name, line, self.filter_problems.get(name, ""))
            for name, line in self.filter_lines.items()
        ]

    async def save_filter(self, name: str, line: str) -> None:
        self.filter_lines[name] = line

    async def delete_filter(self, name: str) -> None:
        del self.filter_lines[name]

    async def events_of(self, run_id: str) -> Sequence[object]:
        book = RunBook()
        found = []
        for event in self.told:
            changed = book.apply(event)
            place = book.place_of(getattr(event, "task_id", ""))
            if changed == run_id or (place is not None and place[0].run_id == run_id):
                found.append(event)
        return found

    async def usual(self, friend: str, task_name: str) -> tuple[float, float] | None:
        return None

    async def usual_of_run(self, name: str) -> tuple[float, float] | None:
        return None

    async def save_value(self, name: str, text: str) -> Path:
        self.acts.append(("save", name, text))
        return Path(name)

    async def replay_plan(self, run_id: str, wish: Wish) -> ReplayPlan:
        events = await self.events_of(run_id)
        friends = {name: friend.as_mapping() for name, friend in self.friends.items()}
        return planned_replay(events, wish, lambda: "new", friends)

    async def replay(self, run_id: str, wish: Wish) -> str:
        self.acts.append((run_id, wish))
        return run_id

    async def export(self, run_id: str) -> Path:
        return Path(f"run-{run_id}.json")

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> Sequence[Receipt]:
        self.acts.append((task_id, terminate, signal))
        receipts = self.receipts
        at = self.clock.now()
        self.tell(
            e.RevokeSent(at=at, task_id=task_id, terminate=terminate, receipts=receipts, asked=True)
        )
        return receipts

    async def cancel(self, run_id: str) -> Cancelled:
        self.acts.append(run_id)
        return self.cancelled or Cancelled(
            run_id, "Cancelled: 1 revoked, 1 never sent. Acknowledged by demo@kimera."
        )

    async def keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> str:
        self.acts.append(("keep revoking", list(unheard)))
        return "Acknowledged by late@kimera."

    async def decide(self, run_id: str, path: str, what: str, result: Any) -> None:
        self.acts.append((run_id, path, what, result))

    def ask_workers(self) -> None:
        self.asked += 1

    async def close(self) -> None:
        self.closed = True

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012}"

    def tell(self, *events: object) -> None:
        for event in events:
            self.told.append(event)
            self.bus.publish(event)

    # What happens to a step, in the order in which it happens

    def sent(self, task: PlannedTask, **kwargs: Any) -> None:
        friend = self.friends[task.friend]
        name = f"{friend.route}.{task.task_name}"
        self.tell(
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
        self.tell(
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
        self.tell(e.StateSeen(at=at, task_id=task.task_id, state="PROGRESS", meta=meta))

    def succeeded(self, task: PlannedTask, result: Any) -> None:
        at, task_id = self.clock.now(), task.task_id
        self.tell(
            e.Polled(at=at, task_id=task_id, attempt=1, state="SUCCESS", next_delay=0),
            e.Succeeded(at=at, task_id=task_id, result=result),
            e.CallbackStarted(at=at, task_id=task_id, callback="hand on the result"),
            e.CallbackFinished(at=at, task_id=task_id, callback="hand on the result"),
        )

    def failed(self, task: PlannedTask, kind: str, message: str, traceback: str = "") -> None:
        self.tell(
            e.Failed(
                at=self.clock.now(),
                task_id=task.task_id,
                error_type=kind,
                error_message=message,
                traceback=traceback,
            )
        )

    def ended(self, run_id: str, error: str = "") -> None:
        self.tell(RunEnded(at=self.clock.now(), run_id=run_id, error=error))


_: Services = Stage()  # it is all that the screen asks for


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
            "yank",
            "save-value",
        )
        if launching := [worker for worker in app.workers if worker.group in waited]:
            await app.workers.wait_for_complete(launching)
        await _run_begun(app)
    await asyncio.sleep(quick_screen.LONGEST_DELAY)
    app.flush()
    await pilot.pause()
    await app.animator.wait_until_complete()


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait until the screen has come to something."""
    async with asyncio.timeout(10):
        while not holds():
            await pilot.pause()


ASKING = ("compose-run", "compose-open", "compose-save", "compose-look")
"""Groups of workers that do what was asked for, or ask something themselves."""


async def _run_begun(app: KimeraApp) -> None:
    """Wait until what was asked to be run, opened or saved is, or asks something itself."""
    async with asyncio.timeout(10):
        while not isinstance(app.screen, ModalScreen) and any(  # noqa: ASYNC110
            worker.group in ASKING and worker.is_running for worker in app.workers
        ):
            await asyncio.sleep(0.01)


def still(app: KimeraApp) -> None:
    """Keep cursors from blinking and toasts from the picture."""
    app.clear_notifications()
    for field in app.screen.query(Input):
        field.cursor_blink = False


def grid(app: App[Any]) -> str:
    """The screen as lines of text."""
    strips: Sequence[Any] = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)
