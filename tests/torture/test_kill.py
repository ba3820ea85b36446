"""Consoles killed with SIGKILL: nothing is lost, nothing is doubled, every run ends.

The short form; ``make torture`` runs the long one.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.process.redis.servers import Server
from tests.torture.faults import DeadlyWire, Fate
from tests.torture.lab import Outcome, Torture, Zygote
from tests.torture.shapes import DOCUMENTS, HANDED_OVER, SHAPES, SLOW

STEP = 3
"""Kill at each third point: before and after each kind of act in turn."""
PUBLISHES = 3
"""How often a console publishes in a run of the slow shape; the para's two go in one piece."""

Ground = tuple[Server, Zygote]


@pytest.mark.parametrize("shape", [*SHAPES, *DOCUMENTS])
def test_a_run_that_nobody_kills(torture: Torture, shape: str) -> None:
    outcome = torture.one_run(shape)
    assert outcome.good, outcome
    assert outcome.kills == 0


@pytest.mark.parametrize(
    "shape", ["chain, para, chain", "replay from failed", "retries", HANDED_OVER]
)
def test_a_kill_at_each_third_point(torture: Torture, shape: str) -> None:
    outcome = torture.every_point(shape, STEP)
    assert outcome.good, outcome
    assert outcome.kills >= 25 // STEP


def test_kills_at_random(torture: Torture) -> None:
    outcome = torture.random_kills(random.Random(7), runs=8)
    assert outcome.good, outcome
    assert outcome.kills


def killed_on_the_wire(
    ground: Ground, folder: Path, nth: int, fate: Fate, without: str = ""
) -> Outcome:
    """One slow run whose console dies while a publish of its is on the wire."""
    server, zygote = ground
    with DeadlyWire(server.port, nth, fate) as wire:
        torture = Torture(server, zygote, folder, broker=wire.url())
        return torture.one_run(SLOW, started=wire.aim, without=without)


@pytest.mark.parametrize("nth", range(1, PUBLISHES + 1))
@pytest.mark.parametrize("fate", [Fate.REQUEST_LOST, Fate.REPLY_LOST])
def test_a_kill_while_a_publish_is_on_the_wire(
    ground: Ground, tmp_path: Path, fate: Fate, nth: int
) -> None:
    outcome = killed_on_the_wire(ground, tmp_path, nth, fate)
    assert outcome.good, outcome
    assert outcome.kills == 1


def test_a_publish_on_the_wire_is_doubled_without_its_marker(
    ground: Ground, tmp_path: Path
) -> None:
    """The test above goes wrong if nobody remembers what an earlier console has published.

    On a busy machine the next console may be back so late that a result says it.
    """
    outcomes = (
        killed_on_the_wire(ground, tmp_path / str(nth), nth, Fate.REPLY_LOST, without="marker")
        for nth in range(1, PUBLISHES + 1)
    )
    assert any(outcome.doubled for outcome in outcomes)


def test_the_torture_finds_out_that_intents_are_missing(torture: Torture) -> None:
    """A run of which the journal doesn't know what it is about to send goes wrong."""
    bad = torture.first_bad(SLOW, without="intent")
    assert bad is not None
    assert bad.doubled
