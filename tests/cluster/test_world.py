"""The world folded from facts: the same in any order, and nothing believed beyond its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.cluster.facts import (
    BrokerBack,
    BrokerRestarted,
    Fact,
    QueueSeen,
    TaskHeld,
    TaskQueued,
    TaskReported,
    TasksMissing,
    TasksNotHeld,
    TasksSought,
    TaskUnacked,
    WorkerAnswered,
    WorkerGone,
    WorkerHeard,
    WorkerLeft,
    WorkerSilent,
)
from kimera_tui.cluster.sightings import UNSEEN, Where
from kimera_tui.cluster.view import view_of
from kimera_tui.cluster.worker import LOST_SECONDS, TRUST_SECONDS, WorkerState
from kimera_tui.cluster.world import World

WORKERS = st.sampled_from(["w1", "w2", "w3"])
TASKS = st.sampled_from(["t1", "t2"])
IDS = st.frozensets(TASKS, min_size=1)
QUEUES = st.sampled_from(["q", "r"])
NAMES = st.none() | st.frozensets(QUEUES)


AGES = st.sampled_from([0.0, 1.0, 5.0, 30.0])
"""Seconds between the moment that a fact speaks of and its arrival."""
WHEN = st.just(0.0)
FACTS: st.SearchStrategy[tuple[Fact, float]] = st.tuples(
    st.one_of(
        st.builds(
            WorkerHeard,
            at=WHEN,
            worker=WORKERS,
            every=st.none() | st.just(2.0),
            pid=st.none() | st.integers(1, 3),
            active=st.integers(0, 2),
            online=st.booleans(),
        ),
        st.builds(WorkerLeft, at=WHEN, worker=WORKERS),
        st.builds(
            WorkerAnswered,
            at=WHEN,
            worker=WORKERS,
            queues=NAMES,
            registered=NAMES,
            pool=st.none() | st.sampled_from(["prefork", "solo"]),
            pid=st.none() | st.integers(1, 3),
            began=st.none() | st.sampled_from([900.0, 1010.0]),
        ),
        st.builds(WorkerSilent, at=WHEN, worker=WORKERS, asked_at=WHEN),
        st.builds(WorkerGone, at=WHEN, worker=WORKERS),
        st.builds(BrokerBack, at=WHEN),
        st.builds(QueueSeen, at=WHEN, queue=QUEUES, ready=st.integers(0, 9)),
        st.builds(
            TaskReported,
            at=WHEN,
            task_id=TASKS,
            worker=WORKERS,
            report=st.sampled_from(["sent", "received", "started", "succeeded", "revoked"]),
        ),
        st.builds(
            TaskHeld,
            at=WHEN,
            task_id=TASKS,
            worker=WORKERS,
            phase=st.sampled_from(["running", "reserved", "scheduled"]),
        ),
        st.builds(TasksNotHeld, at=WHEN, task_ids=IDS, worker=WORKERS),
        st.builds(TaskQueued, at=WHEN, task_id=TASKS, queue=QUEUES, before=st.integers(0, 9)),
        st.builds(TaskUnacked, at=WHEN, task_id=TASKS, back_at=WHEN),
        st.builds(TasksMissing, at=WHEN, task_ids=IDS, since=WHEN),
        st.builds(TasksSought, at=WHEN, task_ids=IDS, doubt=st.sampled_from(["", "w1 is silent"])),
    ),
    AGES,
)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Facts in the order of their arrival, no two at one moment."""
    at, facts = 1000.0, list[Fact]()
    for (fact, age), gap in draw(
        st.lists(st.tuples(FACTS, st.sampled_from([0.5, 2.0, 7.0, 20.0])), max_size=25)
    ):
        at += gap
        fact = replace(fact, at=at)
        if isinstance(fact, WorkerSilent):
            fact = replace(fact, asked_at=at - age)
        elif isinstance(fact, TasksMissing):
            fact = replace(fact, since=at - age)
        facts.append(fact)
    return facts


def world_of(facts: Sequence[Fact]) -> World:
    world = World()
    world.take(facts)
    return world


@given(histories(), st.data())
def test_any_order_and_any_batches_give_the_same_world(facts: list[Fact], data: Any) -> None:
    shuffled = data.draw(st.permutations(facts))
    world, start = World(), 0
    while start < len(shuffled):
        size = data.draw(st.integers(1, 5))
        world.take(shuffled[start : start + size])
        start += size
    assert world == world_of(facts)


@given(histories(), st.floats(0, 100))
def test_no_worker_is_online_for_longer_than_its_last_word_is_trusted(
    facts: list[Fact], later: float
) -> None:
    world = world_of(facts)
    now = (facts[-1].at if facts else 1000.0) + later
    for worker in world.workers.values():
        trusted = max(TRUST_SECONDS, worker.silence)
        if worker.state(now) is WorkerState.ONLINE:
            assert now - worker.last_word < trusted
        if worker.state(now) is WorkerState.LOST:
            assert worker.unanswered_at > worker.last_word


@given(histories())
def test_a_task_is_held_only_by_the_worker_of_which_the_newest_fact_speaks(
    facts: list[Fact],
) -> None:
    world = world_of(facts)
    now = facts[-1].at if facts else 1000.0
    for task_id in ("t1", "t2"):
        sighting = world.sighting(task_id, now)
        if sighting.where is not Where.HELD:
            continue
        newer = [fact for fact in facts if fact.at > sighting.at]
        assert not any(isinstance(f, TaskQueued) and f.task_id == task_id for f in newer)
        assert not any(
            isinstance(f, TasksNotHeld) and task_id in f.task_ids and f.worker == sighting.worker
            for f in newer
        )
        assert not any(
            isinstance(f, TasksMissing) and task_id in f.task_ids and f.since > sighting.at
            for f in newer
        )
        if (worker := world.workers.get(sighting.worker)) is not None:
            assert worker.state(now) is WorkerState.ONLINE


def heard(at: float, **rest: Any) -> WorkerHeard:
    return WorkerHeard(**{"at": at, "worker": "w", "every": 2.0, "active": 1, **rest})


def up(at: float, began: float) -> WorkerAnswered:
    return WorkerAnswered(at=at, worker="w", pid=1, began=began)


def silent(asked_at: float) -> WorkerSilent:
    return WorkerSilent(at=asked_at + 1, worker="w", asked_at=asked_at)


@pytest.mark.parametrize(
    ("facts", "now", "state"),
    [
        ([heard(100)], 105, WorkerState.ONLINE),
        ([heard(100)], 100 + TRUST_SECONDS + 1, WorkerState.SILENT),  # nobody has asked
        ([heard(100), silent(106)], 107, WorkerState.SILENT),
        ([heard(100), silent(106)], 100 + LOST_SECONDS, WorkerState.LOST),
        ([heard(100), silent(106), WorkerGone(at=107, worker="w")], 107, WorkerState.LOST),
        ([heard(100), silent(106), heard(110)], 111, WorkerState.ONLINE),
        # It could not be heard before the broker was back.
        ([heard(100), BrokerBack(at=130), silent(131)], 140, WorkerState.SILENT),
        ([heard(100), BrokerBack(at=130), silent(131)], 130 + LOST_SECONDS, WorkerState.LOST),
        ([heard(100), silent(99)], 107, WorkerState.ONLINE),  # asked before it was heard
        ([heard(100), WorkerLeft(at=101, worker="w")], 102, WorkerState.STOPPED),
        ([heard(100), WorkerLeft(at=101, worker="w"), heard(103)], 104, WorkerState.ONLINE),
        (
            [heard(100), silent(106), WorkerAnswered(at=101, worker="w", pool="solo")],
            160,
            WorkerState.SILENT,  # it can't answer while it runs a task
        ),
        # Nor can it perhaps if its pool was never told, unless it spoke while it ran one.
        ([heard(100, active=0), silent(106)], 160, WorkerState.SILENT),
        ([heard(100, active=None), silent(106)], 160, WorkerState.SILENT),
    ],
)
def test_the_states_of_a_worker(facts: list[Fact], now: float, state: WorkerState) -> None:
    assert world_of(facts).workers["w"].state(now) is state


def report(at: float, what: Any, worker: str = "w") -> TaskReported:
    return TaskReported(at=at, task_id="t", report=what, worker=worker)


def held(at: float, worker: str = "w", phase: Any = "running") -> TaskHeld:
    return TaskHeld(at=at, task_id="t", worker=worker, phase=phase)


MISSING = TasksMissing(at=110, task_ids=frozenset({"t"}), since=108)


SOUGHT = TasksSought(at=110, task_ids=frozenset({"t"}), doubt="w is silent", left_queue=True)


@pytest.mark.parametrize(
    ("facts", "now", "where"),
    [
        ([report(100, "received")], 101, Where.HELD),
        ([report(100, "started"), report(101, "succeeded")], 102, Where.ENDED),
        ([report(100, "succeeded"), report(101, "started", "v")], 102, Where.HELD),
        ([held(100), TasksNotHeld(at=101, task_ids=frozenset({"t"}), worker="w")], 102, Where.LEFT),
        ([held(100), TasksNotHeld(at=101, task_ids=frozenset({"t"}), worker="v")], 102, Where.HELD),
        ([heard(99, pid=1), held(100), heard(101, pid=2)], 102, Where.LEFT),
        # A worker in a container comes back with the same process id.
        ([heard(99, pid=1), held(100), up(109, began=104)], 109, Where.LEFT),
        ([heard(99, pid=1), held(100), up(109, began=104), MISSING], 111, Where.LOST),
        ([heard(99, pid=1), held(100), up(109, began=50)], 109, Where.HELD),
        ([heard(99, pid=1), held(100), up(109, began=50), MISSING], 111, Where.MISSING),
        ([held(100), WorkerLeft(at=101, worker="w")], 102, Where.LEFT),
        ([heard(100), held(100.5), silent(107)], 109, Where.SILENT),
        ([heard(100), held(100.5), silent(107)], 130, Where.LOST),
        ([held(100), MISSING], 111, Where.MISSING),
        ([held(109), MISSING], 111, Where.HELD),
        ([held(100), report(101, "rejected"), MISSING], 111, Where.MISSING),
        ([held(100), report(109, "rejected"), MISSING], 111, Where.ENDED),
        ([held(100), TaskQueued(at=101, task_id="t", queue="q", before=3)], 102, Where.QUEUED),
        ([TaskUnacked(at=101, task_id="t", back_at=9000)], 102, Where.UNACKED),
        ([heard(99, pid=1), held(100), heard(101, pid=2), MISSING], 111, Where.LOST),
        (
            [
                heard(99, pid=1),
                held(100),
                WorkerLeft(at=100.5, worker="w"),  # it ended its tasks first
                heard(101, pid=2),
                MISSING,
            ],
            111,
            Where.MISSING,
        ),
        ([heard(99), held(100), silent(106), MISSING], 130, Where.LOST),
        ([TaskQueued(at=101, task_id="t", queue="q", before=3), SOUGHT], 112, Where.UNSEEN),
        ([SOUGHT, TaskQueued(at=111, task_id="t", queue="q", before=3)], 112, Where.QUEUED),
        ([held(100), SOUGHT], 112, Where.HELD),
        ([], 102, Where.UNSEEN),
    ],
)
def test_where_a_task_is(facts: list[Fact], now: float, where: Where) -> None:
    assert world_of(facts).sighting("t", now).where is where


def test_a_second_worker_that_starts_a_task_is_told_with_the_first() -> None:
    world = world_of([heard(100), held(100.5), held(103, worker="v")])
    sighting = world.sighting("t", 104)
    assert (sighting.worker, sighting.earlier) == ("v", "w")


def test_what_a_restarted_broker_no_longer_has_is_lost() -> None:
    queued = TaskQueued(at=101, task_id="t", queue="q", before=0)
    world = world_of([queued, BrokerRestarted(at=105), SOUGHT])
    assert world.sighting("t", 111, sent_at=100).where is Where.LOST
    assert world.sighting("t", 111, sent_at=106).where is Where.UNSEEN
    world.take([held(107)])  # a worker had it when the broker went
    assert world.sighting("t", 111, sent_at=100).where is Where.HELD


def test_a_task_of_which_nothing_is_known_is_unseen() -> None:
    assert World().sighting("nobody", 1.0) is UNSEEN


def test_tasks_beyond_the_limit_are_forgotten_the_oldest_first() -> None:
    world = World(kept=2000)
    world.take(
        TaskReported(at=float(n), task_id=f"t{n}", report="received", worker="w")
        for n in range(3000)
    )
    assert len(world.tasks) <= 2000
    assert "t2999" in world.tasks
    assert "t0" not in world.tasks


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        ([], "No worker answered: nobody may take this task."),
        (
            [WorkerAnswered(at=100, worker="w", queues=frozenset({"other"}))],
            "No worker consumes queue q (0 of 1 workers).",
        ),
        (
            [
                WorkerAnswered(at=100, worker="w", queues=frozenset({"other"})),
                WorkerHeard(at=100, worker="mute"),
            ],
            "No worker that answers consumes queue q; mute does not answer.",
        ),
        (
            [
                WorkerAnswered(at=100, worker="w", queues=frozenset({"other"})),
                WorkerAnswered(at=50, worker="v", queues=frozenset({"q"})),
                WorkerLeft(at=60, worker="v"),
            ],
            "No worker consumes queue q (0 of 1 workers); v did, and is gone.",
        ),
        (
            [
                WorkerAnswered(
                    at=100,
                    worker="w",
                    queues=frozenset({"q"}),
                    pool="prefork",
                    slots=2,
                    processes=0,
                )
            ],
            "w consumes queue q, but its pool has no process left to run tasks.",
        ),
        (
            [
                WorkerAnswered(
                    at=100, worker="w", queues=frozenset({"q"}), registered=frozenset({"other"})
                )
            ],
            "No worker has a.b registered.",
        ),
        (
            [
                WorkerAnswered(
                    at=100, worker="w", queues=frozenset({"q"}), registered=frozenset({"other"})
                ),
                WorkerAnswered(
                    at=100, worker="v", queues=frozenset({"r"}), registered=frozenset({"a.b"})
                ),
            ],
            "No worker that consumes queue q has a.b registered.",
        ),
    ],
)
def test_what_speaks_against_sending_a_task(facts: list[Fact], finding: str) -> None:
    assert view_of(world_of(facts), 101.0).findings("q", "a.b") == [finding]


def test_a_worker_that_has_not_told_its_tasks_speaks_against_nothing() -> None:
    facts = [WorkerAnswered(at=100, worker="w", queues=frozenset({"q"}))]
    assert view_of(world_of(facts), 101.0).findings("q", "a.b") == []
