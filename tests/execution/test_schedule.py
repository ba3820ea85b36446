"""What a run does next, as a pure function: random plans, random ends in any order, restarts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.errors import (
    PublishUncertain,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.execution.actions import (
    Action,
    Adopt,
    Ask,
    Doubt,
    Finish,
    GiveUp,
    Retry,
    Send,
    Skip,
    Stop,
    Withdraw,
)
from kimera_tui.execution.completion import GIVEN_UP, ResultNeeded, RunStopped, RunTimedOut
from kimera_tui.execution.schedule import Schedule
from kimera_tui.execution.template_scope import Scope
from kimera_tui.execution.unknown_results import unknown_in
from kimera_tui.process import events as e
from kimera_tui.runs.events import (
    RunEnded,
    RunStarted,
    StepDecided,
    StepRetried,
    StepSkipped,
)
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.plan import Node, PlannedTask, RetryRule, Rules, child_path
from kimera_tui.runs.recovery import Verdict
from kimera_tui.runs.status import Status

RUN = "run"
CHAIN, PARA = "chain", "para"


# --- plans ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A plan before its steps have paths and ids."""

    kind: str = "task"
    parts: Sequence[Part] = ()
    rules: Rules = field(default_factory=Rules)
    handlers: Sequence[Part] = ()


def planned(part: Part, path: str = "", finals: Sequence[Part] = ()) -> Node:
    def below(parts: Sequence[Part], branch: str = "") -> tuple[Node, ...]:
        return tuple(planned(each, child_path(path, n, branch)) for n, each in enumerate(parts))

    task = PlannedTask(f"t{path or 'root'}", "lab", "step") if part.kind == "task" else None
    return Node(
        part.kind,  # type: ignore[arg-type]
        path,
        below(part.parts),
        task,
        f"s{path.replace('/', '_')}",
        part.rules,
        below(part.handlers, "e"),
        below(finals, "f"),
    )


def task(**rules: Any) -> Part:
    return Part(rules=Rules(**rules))


def chain(*parts: Part, **rules: Any) -> Part:
    return Part(CHAIN, parts, Rules(**rules))


def para(*parts: Part, **rules: Any) -> Part:
    return Part(PARA, parts, Rules(**rules))


def handled(part: Part, *handlers: Part) -> Part:
    return replace(part, handlers=handlers)


RETRIES = st.none() | st.builds(
    RetryRule,
    most=st.integers(1, 2),
    delay=st.sampled_from([0.0, 5.0]),
    on=st.sampled_from([(), ("TIMEOUT",)]),
)
TASK_RULES = st.builds(
    Rules,
    retry=RETRIES,
    goes_on=st.booleans(),
    idempotent=st.booleans(),
    on_timeout=st.sampled_from(["leave", "revoke", "terminate"]),
    passing=st.sampled_from(["auto", "auto", "first", "none"]),
)
CHAIN_RULES = st.builds(Rules, goes_on=st.booleans())
PARA_RULES = st.builds(
    Rules,
    goes_on=st.booleans(),
    fail_fast=st.booleans(),
    max_parallel=st.none() | st.integers(1, 2),
)
TASKS = st.builds(Part, rules=TASK_RULES)
PARTS = st.recursive(
    TASKS,
    lambda inner: st.one_of(
        st.builds(
            Part,
            kind=st.just(CHAIN),
            parts=st.lists(inner, min_size=1, max_size=3),
            rules=CHAIN_RULES,
            handlers=st.lists(TASKS, max_size=1),
        ),
        st.builds(
            Part,
            kind=st.just(PARA),
            parts=st.lists(inner, min_size=1, max_size=3),
            rules=PARA_RULES,
            handlers=st.lists(TASKS, max_size=1),
        ),
        st.builds(replace, TASKS, handlers=st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=8,
)
PLANS = st.builds(planned, PARTS, finals=st.lists(TASKS, max_size=2))


# --- a world in which a schedule is performed -----------------------------------------------------


class World:
    """Performs actions at once, writes events down as the executor does, and checks the law."""

    def __init__(self, plan: Node, *, asks: bool = True, timeout: float | None = None) -> None:
        self.plan, self.asks, self.timeout = plan, asks, timeout
        self.now = 100.0
        self.events: list[object] = [RunStarted(at=self.now, run_id=RUN, name="x", plan=plan)]
        self.in_flight: dict[str, str] = {}
        """Task id of each step that is in flight, by its path."""
        self.giving_up: dict[str, frozenset[str]] = {}
        self.stopping = False
        self.finish: Finish | None = None
        self.halted: set[int] = set()
        """Phases in which nothing more may be sent."""
        self.decided: set[str] = set()
        """Paths of the steps that continue as their operator decided."""
        self.lost: set[str] = set()
        """Paths of the steps whose para was given up."""
        self.loose: dict[str, str] = {}
        """Task id of each step's attempt that timed out and is not proven to be over."""
        self.withdrawn: set[str] = set()
        """Ids of the tasks that were to be withdrawn."""
        self._sent: set[str] = set()
        """Ids of all tasks that were ever sent."""
        self._over: set[str] = set()
        """Paths of the steps that have ended for good, or were skipped."""
        self._ids = itertools.count(1)
        self.schedule = self._schedule(RunState(RUN, "x", plan, self.now))
        self.turn()

    def _schedule(self, run: RunState, **more: Any) -> Schedule:
        steps = run.steps if more else {}
        return Schedule(
            self.plan,
            Scope(),
            lambda: f"new{next(self._ids)}",
            steps,
            started=100.0,
            timeout=self.timeout,
            asks=self.asks,
            **more,
        )

    def folded(self) -> RunState:
        index = RunIndex()
        index.apply_all(self.events)
        return index.runs[RUN]

    def turn(self) -> None:
        """Perform all that is due."""
        while True:
            for action in self.schedule.todo(self.now, 3):
                self._perform(action)
            if not self.schedule.busy:
                return

    def _perform(self, action: Action) -> None:
        match action:
            case Send():
                path, task_id = action.node.path, action.task.task_id
                assert task_id not in self._sent, "an attempt is sent once"
                assert path not in self.in_flight, "a step is sent once at a time"
                assert path not in self._over, "what has ended is not sent"
                assert self.finish is None
                assert (
                    path not in self.loose or action.node.rules.idempotent or (path in self.decided)
                ), "what may still run is not sent a second time"
                self._check_open(path)
                self._sent.add(task_id)
                self.in_flight[path] = task_id
                self.schedule.sent(path)
                self._tell(e.Dispatched, task_id, task="lab.step", friend="lab", queue="q")
            case Adopt():
                path, task_id = action.node.path, action.task.task_id
                assert task_id in self._sent, "only what was sent is adopted"
                self.in_flight[path] = task_id
                self.schedule.sent(path)
            case Retry():
                assert action.path not in self.in_flight
                self._check_open(action.path)
                self.events.append(
                    StepRetried(
                        at=self.now,
                        run_id=RUN,
                        path=action.path,
                        task_id=action.task_id,
                        attempt=action.attempt,
                        delay=action.delay,
                        because=action.because,
                    )
                )
            case Skip():
                assert action.path not in self._over, "a step is skipped once, and not once ended"
                assert action.path not in self.in_flight
                self._over.add(action.path)
                self.events.append(
                    StepSkipped(
                        at=self.now,
                        run_id=RUN,
                        path=action.path,
                        because=action.because,
                        unreachable=action.unreachable,
                        not_needed=action.not_needed,
                    )
                )
            case Withdraw():
                assert action.task.task_id in self._sent
                assert action.path not in self.in_flight
                self.withdrawn.add(action.task.task_id)
            case GiveUp():
                self.giving_up[action.path] = action.paths
                self.lost |= action.paths
            case Stop():
                self.stopping = True
                self.halted.add(self.schedule.phase)
            case Doubt():
                self._doubt(action.task.task_id)
            case Ask(path):
                assert self.asks
                self._check_open(path)
                assert path not in self.in_flight
            case Finish():
                assert self.finish is None
                assert not self.in_flight, "nothing is in flight at the end"
                self.finish = action

    def _check_open(self, path: str) -> None:
        assert self.schedule.phase not in self.halted, "a halted phase begins nothing"
        assert path not in self.lost, "a para that was given up begins nothing"

    def _tell(self, kind: type[e.TaskEvent], task_id: str, **more: Any) -> None:
        self.events.append(kind(at=self.now, task_id=task_id, **more))

    def _doubt(self, task_id: str) -> None:
        self._tell(e.Refused, task_id, reason="lost", uncertain=True)

    def succeed(self, path: str) -> None:
        task_id = self.in_flight.pop(path)
        self._over.add(path)
        self._tell(e.Succeeded, task_id, result=path)
        self.schedule.attempts.succeeded(path, path)

    def fail(self, path: str, how: str) -> None:
        task_id = self.in_flight.pop(path)
        errors = {
            "failed": TaskFailed("lab.step", task_id, "ValueError", "bad"),
            "revoked": TaskRevoked("lab.step", task_id),
            "uncertain": PublishUncertain("lost"),
            "timed out": TimeoutException("lab.step", "lab", 9, task_id),
        }
        match how:
            case "failed":
                self._tell(e.Failed, task_id, error_type="ValueError", error_message="bad")
            case "revoked":
                self._tell(e.RemotelyRevoked, task_id)
            case "uncertain":
                self._doubt(task_id)
            case "timed out":
                self._tell(e.TimedOut, task_id, seconds=9)
                self.loose[path] = task_id
        self.schedule.attempts.failed(path, errors[how])

    def lose(self, path: str) -> None:
        """The task of a step ends, and nobody can read its result: it is never sent again."""
        task_id = self.in_flight.pop(path)
        self._over.add(path)
        self._tell(e.EndedUnknown, task_id, reason="it is a pickle")
        self.schedule.attempts.failed(path, ResultUnknown("lab.step", task_id, "it is a pickle"))

    def withdraw(self, path: str, *, over: bool) -> None:
        """What was withdrawn is over, or nobody can tell."""
        task_id = self.schedule.attempts.open[path].task.task_id
        assert task_id in self.withdrawn
        if over:
            del self.loose[path]
            self._tell(e.TakenOut, task_id, queue="q")
        self.schedule.attempts.withdrawn(path, task_id, over, "nobody acknowledged it")

    def decide(self, path: str, what: Any) -> None:
        decided = StepDecided(at=self.now, run_id=RUN, path=path, what=what, by="ann", result=1)
        self.events.append(decided)
        if what in ("done", "fail"):
            self._over.add(path)
        if what in ("again", "wait"):
            self.decided.add(path)
        self.schedule.attempts.decided(decided)

    def end_giving_up(self, path: str) -> None:
        for below in self.giving_up.pop(path) & self.in_flight.keys():
            self._tell(e.WatchStopped, self.in_flight.pop(below))
        self.schedule.given_up(path)

    def give_up_at_once(self) -> None:
        """Report what is given up and has nothing in flight, as an executor does at once."""
        while idle := [
            path for path, below in self.giving_up.items() if not below & self.in_flight.keys()
        ]:
            self.end_giving_up(idle[0])
            self.turn()

    def cancel(self) -> None:
        self.halted.add(self.schedule.phase)
        self.schedule.halt()

    def skip_rest(self) -> None:
        for action in self.schedule.skip_rest("cancelled"):
            self._perform(action)

    def abandon(self) -> None:
        self.stopping = False
        for path in list(self.in_flight):
            self._tell(e.WatchStopped, self.in_flight.pop(path))
        self.giving_up.clear()
        self.schedule.abandon()

    def restart(self) -> None:
        """Another console resumes the run from the journal."""
        run = self.folded()
        under_way = {
            path
            for path, step in run.steps.items()
            if not step.status.ended and step.task_id in self._sent
        }
        verdicts = {path: Verdict("adopt") for path in under_way}
        self.in_flight, self.giving_up, self.lost = {}, {}, set()
        self.schedule = self._schedule(run, verdicts=verdicts)
        self.turn()

    def open(self) -> tuple[object, ...]:
        """What is awaited now."""
        return (
            dict(self.in_flight),
            set(self.giving_up),
            set(self.schedule.attempts.asking),
            set(self.schedule.attempts.withdrawing),
            self.schedule.next_time(),
            self.schedule.phase,
            self.finish is not None,
        )


ENDS = ["done", "done", "failed", "revoked", "uncertain", "unknown", "timed out"]


def play(
    world: World, data: st.DataObject, *, restarts: bool = False, cancels: bool = False
) -> None:
    """Let things happen in any order until the run has finished."""
    for _ in range(400):
        if world.finish is not None:
            return
        moves: list[tuple[str, str]] = [("end", path) for path in sorted(world.in_flight)]
        moves += [("give up", path) for path in sorted(world.giving_up)]
        moves += [("decide", path) for path in sorted(world.schedule.attempts.asking)]
        moves += [("withdrawn", path) for path in sorted(world.schedule.attempts.withdrawing)]
        if world.schedule.next_time() is not None:
            moves.append(("wait", ""))
        if world.stopping or (cancels and world.schedule.phase in world.halted):
            moves.append(("abandon", ""))
        elif cancels:
            moves.append(("cancel", ""))
        if not moves:
            assert world.schedule.busy, "a run that has not finished waits for something"
            world.turn()
            continue
        move, path = data.draw(st.sampled_from(moves))
        match move:
            case "end":
                how = data.draw(st.sampled_from(ENDS))
                if how == "done":
                    world.succeed(path)
                elif how == "unknown":
                    world.lose(path)
                else:
                    world.fail(path, how)
            case "withdrawn":
                world.withdraw(path, over=data.draw(st.booleans()))
            case "give up":
                world.end_giving_up(path)
            case "decide":
                world.decide(path, data.draw(st.sampled_from(["again", "done", "fail", "wait"])))
            case "wait":
                world.now = world.schedule.next_time() or world.now
            case "abandon":
                world.abandon()
            case "cancel":
                world.cancel()
        if move != "abandon" and data.draw(st.booleans()):
            continue  # several things may happen between two turns
        world.turn()
        if not restarts or not data.draw(st.booleans()):
            continue
        world.give_up_at_once()
        if world.finish is None:
            upstream = world.open()
            world.restart()
            world.give_up_at_once()
            # What was to be waited for when its para was given up is watched after a restart.
            assert world.open() == upstream or world.decided
    raise AssertionError("the run does not come to its end")


# --- laws -----------------------------------------------------------------------------------------


@given(PLANS, st.booleans(), st.data())
def test_every_plan_ends_and_sends_each_attempt_once(
    plan: Node, asks: bool, data: st.DataObject
) -> None:
    world = World(plan, asks=asks)
    play(world, data)
    run = world.folded()
    assert world.finish is not None
    assert unknown_in(world.finish.result) is None
    left = {Status.INTERRUPTED} if world.giving_up else set()
    for path, step in run.steps.items():
        assert step.status.ended or step.status in left, f"{path or 'root'} is {step.status}"


@given(PLANS, st.data())
def test_resuming_after_any_prefix_of_events_waits_for_the_same(
    plan: Node, data: st.DataObject
) -> None:
    world = World(plan)
    play(world, data, restarts=True)


@given(PLANS, st.data())
def test_a_cancelled_run_begins_nothing_more_but_its_last_steps(
    plan: Node, data: st.DataObject
) -> None:
    world = World(plan)
    play(world, data, cancels=True)
    world.skip_rest()
    run = world.folded()
    finals = [path for node in plan.finals for path, _ in node.leaves()]
    for path, step in run.steps.items():
        left = path in finals or path in world.decided
        assert left or step.status.ended, f"{path or 'root'} is {step.status}"
    first = next(iter(task.task_id for path, task in plan.leaves() if path in finals[:1]), None)
    assert first is None or first in world._sent, "the first of the last steps is always sent"


@given(PLANS, st.data())
def test_a_run_past_its_deadline_stops_and_has_timed_out(plan: Node, data: st.DataObject) -> None:
    world = World(plan, timeout=50.0)
    world.now = 151.0
    world.turn()
    if world.finish is None or isinstance(world.finish.error, RunTimedOut):
        assert world.stopping or not world.in_flight or world.schedule.phase
    play(world, data)
    assert world.finish is not None
    assert isinstance(world.finish.error, RunTimedOut)


# --- single rules ---------------------------------------------------------------------------------


def names(world: World) -> Iterator[str]:
    yield from sorted(world.in_flight)


def test_a_chain_sends_its_next_step_with_the_result_before() -> None:
    world = World(planned(chain(task(), task())))
    assert list(names(world)) == ["0"]
    world.succeed("0")
    (send,) = world.schedule.todo(world.now)
    assert isinstance(send, Send)
    assert (send.node.path, send.upstream) == ("1", "0")


def test_a_failed_step_skips_what_follows_it() -> None:
    world = World(planned(chain(task(), task(), task())))
    world.fail("0", "failed")
    first, second, finish = world.schedule.todo(world.now)
    assert first == Skip("1", "upstream step failed")
    assert second == Skip("2", "upstream step failed")
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, TaskFailed)


def test_what_follows_a_revoked_step_is_unreachable() -> None:
    world = World(planned(chain(task(), task())))
    world.fail("0", "revoked")
    assert world.schedule.todo(world.now)[0] == Skip("1", "step was revoked", unreachable=True)


def test_a_para_gathers_in_the_order_of_its_branches() -> None:
    world = World(planned(para(task(), task(), task())))
    for path in ("2", "0", "1"):
        world.succeed(path)
    assert world.schedule.todo(world.now) == [Finish(["0", "1", "2"])]


def test_max_parallel_holds_branches_back() -> None:
    world = World(planned(para(task(), task(), task(), max_parallel=2)))
    assert list(names(world)) == ["0", "1"]
    world.succeed("1")
    world.turn()
    assert list(names(world)) == ["0", "2"]


def test_a_retry_is_announced_at_once_and_sent_when_its_delay_is_over() -> None:
    world = World(planned(task(retry=RetryRule(1, delay=5.0))))
    world.fail("", "failed")
    assert world.schedule.todo(world.now) == [Retry("", "new1", 2, 5.0, "ValueError: bad")]
    assert world.schedule.next_time() == 105.0
    assert world.schedule.todo(104.9) == []
    (send,) = world.schedule.todo(105.0)
    assert isinstance(send, Send)
    assert send.task.task_id == "new1"


def test_a_handler_sees_the_error_and_the_part_still_fails() -> None:
    world = World(planned(chain(handled(task(), task()), task())))
    world.fail("0", "failed")
    (send,) = world.schedule.todo(world.now)
    assert isinstance(send, Send)
    assert send.node.path == "0/e/0"
    assert isinstance(send.error, TaskFailed)


def test_what_goes_on_gives_null() -> None:
    world = World(planned(chain(task(goes_on=True), task())))
    world.fail("0", "failed")
    (send,) = world.schedule.todo(world.now)
    assert isinstance(send, Send)
    assert (send.node.path, send.upstream) == ("1", None)


def test_fail_fast_gives_up_the_other_branches_and_fails_with_the_first() -> None:
    world = World(planned(para(task(), chain(task(), task()), fail_fast=True)))
    world.fail("0", "failed")
    (give_up,) = world.schedule.todo(world.now)
    assert give_up == GiveUp("", frozenset({"0", "1/0", "1/1"}))
    world.giving_up[""] = give_up.paths
    world.end_giving_up("")
    skip, finish = world.schedule.todo(world.now)
    assert skip == Skip("1/1", GIVEN_UP, unreachable=True)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, TaskFailed)


def test_what_was_given_up_with_the_para_around_it_reports_to_nobody() -> None:
    inner = para(task(), task(), fail_fast=True)
    world = World(planned(handled(para(task(), inner, fail_fast=True), task())))
    world.fail("1/0", "failed")
    world.fail("0", "failed")
    world.turn()
    assert set(world.giving_up) == {"", "1"}
    world.end_giving_up("")
    world.turn()
    assert list(names(world)) == ["e/0"]
    world.end_giving_up("1")  # its answer comes late
    world.turn()
    assert list(names(world)) == ["e/0"]
    world.succeed("e/0")
    world.turn()
    assert world.finish is not None
    assert isinstance(world.finish.error, TaskFailed)


@pytest.mark.parametrize("asks", [True, False])
def test_an_uncertain_step_is_asked_about_where_somebody_can_answer(asks: bool) -> None:
    world = World(planned(task()), asks=asks)
    world.fail("", "uncertain")
    (action,) = world.schedule.todo(world.now)
    assert isinstance(action, Ask if asks else Finish)


TRY_AGAIN = RetryRule(1, on=("TIMEOUT",))


def test_a_timed_out_task_is_withdrawn_and_its_step_has_ended() -> None:
    world = World(planned(task(on_timeout="revoke")))
    world.fail("", "timed out")
    withdraw, finish = world.schedule.todo(world.now)
    assert isinstance(withdraw, Withdraw)
    assert (withdraw.task.task_id, withdraw.terminate, withdraw.awaited) == ("troot", False, False)
    assert isinstance(finish, Finish)


def test_what_is_left_to_run_is_not_withdrawn() -> None:
    world = World(planned(task()))
    world.fail("", "timed out")
    (finish,) = world.schedule.todo(world.now)
    assert isinstance(finish, Finish)


def test_a_second_try_after_a_timeout_waits_for_proof_that_the_first_is_over() -> None:
    world = World(planned(task(on_timeout="terminate", retry=TRY_AGAIN)))
    world.fail("", "timed out")
    (withdraw,) = world.schedule.todo(world.now)
    assert isinstance(withdraw, Withdraw)
    assert (withdraw.terminate, withdraw.awaited) == (True, True)
    world.schedule.attempts.withdrawn("", "another", True, "")
    assert world.schedule.todo(world.now) == []
    world.schedule.attempts.withdrawn("", "troot", True, "")
    retry, *_ = world.schedule.todo(world.now)
    assert isinstance(retry, Retry)
    assert retry.because == "no result within 9 s"


@pytest.mark.parametrize("on_timeout", ["leave", "revoke"])
@pytest.mark.parametrize("asks", [True, False])
def test_without_proof_a_timed_out_step_is_uncertain(on_timeout: str, asks: bool) -> None:
    world = World(planned(task(on_timeout=on_timeout, retry=TRY_AGAIN)), asks=asks)
    world.fail("", "timed out")
    world.turn()
    if on_timeout == "revoke":
        world.withdraw("", over=False)
        world.turn()
    step = world.folded().steps[""]
    assert step.status is Status.UNCERTAIN or not asks
    assert (world.finish is None) is asks
    if not asks:
        assert world.finish is not None
        assert isinstance(world.finish.error, PublishUncertain)
        assert "it is not sent a second time" in str(world.finish.error)


def test_an_idempotent_step_is_tried_again_at_once() -> None:
    rules = {"on_timeout": "revoke", "idempotent": True, "retry": TRY_AGAIN}
    world = World(planned(task(**rules)))
    world.fail("", "timed out")
    withdraw, retry, *_ = world.schedule.todo(world.now)
    assert isinstance(withdraw, Withdraw)
    assert not withdraw.awaited
    assert isinstance(retry, Retry)


def test_a_cancelled_run_does_not_wait_for_proof() -> None:
    world = World(planned(task(on_timeout="revoke", retry=TRY_AGAIN)))
    world.fail("", "timed out")
    world.turn()
    world.cancel()
    world.turn()
    assert world.finish is not None
    assert isinstance(world.finish.error, RunStopped)


def test_a_halted_run_ends_once_its_tasks_have() -> None:
    world = World(planned(chain(task(), task())))
    world.cancel()
    assert world.schedule.todo(world.now) == []
    world.succeed("0")
    *_, finish = world.schedule.todo(world.now)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, RunStopped)


def test_a_tree_of_thousands_is_worked_off_in_portions() -> None:
    world = Schedule(planned(para(*(task() for _ in range(2_000)))), Scope(), lambda: "x")
    portions = []
    while True:
        portions.append(len(world.todo(0.0, 64)))
        if not world.busy:
            break
    assert sum(portions) == 2_000
    assert max(portions) <= 64


def test_a_chain_of_thousands_needs_no_recursion() -> None:
    plan = planned(chain(*(task() for _ in range(5_000))))
    world = World(plan)
    for position in range(5_000):
        world.succeed(str(position))
        world.turn()
    assert world.finish == Finish("4999")
    index = RunIndex()
    index.apply_all([*world.events, RunEnded(at=world.now, run_id=RUN)])
    again = Schedule(plan, Scope(), lambda: "x", index.runs[RUN].steps)
    assert again.todo(world.now) == [Finish("4999")]


# --- a result that is unknown ---------------------------------------------------------------------

LOST = "step s0 ended and its result is unknown"


def with_when(part: Part, **when: Any) -> Part:
    return replace(part, rules=replace(part.rules, when=when))


def looking_up(*args: Any, **kwargs: Any) -> Node:
    """A chain whose second step looks something up, and takes nothing from the first."""
    node = planned(chain(task(), task(passing="none", templated=True)))
    first, second = node.children
    assert second.task is not None
    called = replace(second.task, args=args, kwargs=kwargs)
    return replace(node, children=(first, replace(second, task=called)))


@pytest.mark.parametrize("passing", ["auto", "first", "payload"])
def test_a_step_that_is_fed_by_an_unknown_result_is_skipped_and_says_why(passing: Any) -> None:
    world = World(planned(chain(task(), task(passing=passing), task(passing="none"))))
    world.lose("0")
    first, second, finish = world.schedule.todo(world.now)
    assert first == Skip("1", f"{LOST}, so it cannot be sent")
    assert second == Skip("2", f"s1 was not sent: {LOST}")
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, ResultNeeded)
    assert str(finish.error) == f"s1 was not sent: {LOST}."
    assert finish.error.exit_code == 5


def test_a_step_that_needs_nothing_of_it_goes_on_and_the_run_tells_it_at_the_end() -> None:
    world = World(planned(chain(task(), task(passing="none"))))
    world.lose("0")
    world.turn()
    assert list(names(world)) == ["1"]
    world.succeed("1")
    (finish,) = world.schedule.todo(world.now)
    assert isinstance(finish, Finish)
    assert isinstance(finish.error, ResultUnknown)


@pytest.mark.parametrize(
    "looked_up",
    ["${{ steps.s0.result }}", "${{ steps.s0.result.rows[0] | default(0) }}", "${{ prev }}",
     "a text with ${{ steps['s0']['result'] }}", "${{ steps | length }}"],
)  # fmt: skip
def test_what_looks_it_up_is_skipped(looked_up: str) -> None:
    world = World(looking_up(kind={"deep": [looked_up]}))
    world.lose("0")
    assert world.schedule.todo(world.now)[0] == Skip("1", f"{LOST}, so it cannot be sent")


@pytest.mark.parametrize("looked_up", ["${{ steps.s0.status }}", "${{ run.id }}", "$${{ prev }}"])
def test_what_looks_up_something_else_is_sent(looked_up: str) -> None:
    world = World(looking_up(looked_up))
    world.lose("0")
    world.turn()
    assert list(names(world)) == ["1"]
    assert world.schedule.scope.steps["s0"]["status"] == "unknown"


def test_a_condition_on_it_cannot_be_told() -> None:
    condition = {"ref": "steps.s0.result", "eq": 1}
    world = World(planned(chain(task(), with_when(chain(task(passing="none")), **condition))))
    world.lose("0")
    assert world.schedule.todo(world.now)[0] == Skip("1/0", f"{LOST}, so it cannot be sent")


def test_a_condition_on_its_status_can() -> None:
    condition = {"ref": "steps.s0.status", "eq": "unknown"}
    world = World(planned(chain(task(), with_when(task(passing="none"), **condition))))
    world.lose("0")
    world.turn()
    assert list(names(world)) == ["1"]


@pytest.mark.parametrize("rules", [{}, {"idempotent": True}, {"fail_fast": True}])
def test_it_is_neither_sent_again_nor_handled_nor_does_a_para_give_up(rules: Any) -> None:
    fast = rules.pop("fail_fast", False)
    first = handled(task(retry=RetryRule(3, delay=0.0), **rules), task())
    plan = planned(handled(para(first, task(), fail_fast=fast), task()), finals=[task()])
    world = World(plan)
    world.lose("0")
    assert world.schedule.todo(world.now) == [
        Skip("0/e/0", "only its result is unknown", not_needed=True)
    ]
    world.succeed("1")
    world.turn()
    assert list(names(world)) == ["f/0"]
    world.succeed("f/0")
    world.turn()
    assert world.finish is not None
    assert isinstance(world.finish.error, ResultUnknown)
    assert world.folded().steps["e/0"].status is Status.NOT_NEEDED


def test_a_branch_that_lacks_a_result_is_no_failure_and_a_failure_comes_first() -> None:
    plan = handled(para(chain(task(), task()), task(), task(), fail_fast=True), task())
    world = World(planned(plan))
    world.lose("0/0")
    world.turn()
    assert list(names(world)) == ["1", "2"]
    world.fail("2", "failed")
    world.turn()
    assert "" in world.giving_up
    world.end_giving_up("")
    world.turn()
    (action,) = names(world)
    assert action == "e/0"
    world.succeed("e/0")
    world.turn()
    assert world.finish is not None
    assert isinstance(world.finish.error, TaskFailed)


def test_what_comes_after_a_para_needs_the_results_of_all_branches() -> None:
    world = World(planned(chain(para(task(), task()), task())))
    world.succeed("0/1")
    world.lose("0/0")
    (skip, _) = world.schedule.todo(world.now)
    assert skip == Skip("1", "step s0_0 ended and its result is unknown, so it cannot be sent")


def test_what_goes_on_tolerates_it_but_null_is_not_sent_in_its_place() -> None:
    world = World(planned(chain(task(goes_on=True), task(goes_on=True), task(passing="none"))))
    world.lose("0")
    world.turn()
    assert list(names(world)) == ["2"]
    assert world.folded().steps["1"].status is Status.SKIPPED
    world.succeed("2")
    assert world.schedule.todo(world.now) == [Finish("2")]
    world = World(planned(para(task(goes_on=True), task())))
    world.lose("0")
    world.succeed("1")
    assert world.schedule.todo(world.now) == [Finish([None, "1"])]


def test_a_resumed_run_stops_at_the_same_place() -> None:
    world = World(planned(handled(chain(task(), handled(task(), task())), task())))
    world.lose("0")
    world.turn()
    for upto in range(len(world.events), 1, -1):
        again = World(world.plan)
        again.events, again._sent = world.events[:upto], world._sent
        again._over = {p for p, step in again.folded().steps.items() if step.status.ended}
        again.restart()
        if again.finish is None:  # its end was not written yet: it is adopted
            assert list(names(again)) == ["0"]
            continue
        assert isinstance(again.finish.error, ResultNeeded)
        assert again.folded().steps["1/e/0"].status is Status.NOT_NEEDED
        assert again.folded().steps["e/0"].status is Status.NOT_NEEDED
