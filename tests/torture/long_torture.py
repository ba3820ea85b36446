"""The long form of the torture: every point of every shape, random kills, faults, many consoles.

Not collected by ``make test``: run it with ``make torture``; it takes some minutes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.process.redis.servers import Server
from tests.torture.faults import FaultyWire
from tests.torture.lab import Torture, Zygote
from tests.torture.shapes import DOCUMENTS, SHAPES, SLOW

RUNS = 100


@pytest.fixture
def runs(share: float) -> int:
    return max(5, round(RUNS * share))


def say(text: object) -> None:
    """Figures for whoever watches."""
    sys.stdout.write(f"{text}\n")


def test_a_kill_at_every_point_of_every_shape(torture: Torture, share: float) -> None:
    kills, step = 0, max(1, round(1 / share)) | 1  # odd: before and after each act in turn
    for shape in [*SHAPES, *DOCUMENTS]:
        outcome = torture.every_point(shape, step)
        say(f"{shape}: {outcome}")
        assert outcome.good, outcome
        kills += outcome.kills
    assert kills >= 200 // step


def test_it_finds_out_that_the_marker_is_missing(torture: Torture) -> None:
    bad = torture.first_bad(SLOW, without="marker")
    assert bad is not None
    assert bad.doubled


def test_kills_at_random(torture: Torture, runs: int) -> None:
    outcome = torture.random_kills(random.Random(1), runs)
    say(outcome)
    assert outcome.good, outcome
    assert outcome.kills >= runs // 2


def test_kills_at_random_with_lost_requests_and_replies(
    ground: tuple[Server, Zygote], tmp_path: Path, runs: int
) -> None:
    server, zygote = ground
    with FaultyWire(server.port, random.Random(2)) as wire:
        torture = Torture(server, zygote, tmp_path, broker=wire.url())
        outcome = torture.random_kills(random.Random(3), runs, longest=0.4)
    say(f"{outcome}, lost requests {wire.lost_requests}, lost replies {wire.lost_replies}")
    assert outcome.good, outcome
    assert wire.lost_requests
    assert wire.lost_replies


@pytest.fixture
def four(ground: tuple[Server, Zygote]) -> Iterator[list[Zygote]]:
    zygotes = [Zygote() for _ in range(4)]
    yield zygotes
    for zygote in zygotes:
        zygote.close()


def test_four_consoles_resume_the_same_runs_at_once(
    ground: tuple[Server, Zygote], four: list[Zygote], tmp_path: Path, share: float
) -> None:
    server, zygote = ground
    torture = Torture(server, zygote, tmp_path)
    rng = random.Random(4)
    shapes = [shape for shape in [*SHAPES, *DOCUMENTS] if shape != "replay from failed"]
    contested = 0
    with ThreadPoolExecutor(4) as pool:
        while contested < 40 * share:
            order = torture.order(rng.choice(shapes), kill_at=rng.randint(4, 25))
            killed = zygote.console(order) != 0
            again = torture.after_a_crash(order)
            again.starts = False
            assert set(pool.map(lambda each, what=again: each.console(what), four)) == {0}
            if torture.has_begun(order):
                outcome = torture.judged(order)
                assert outcome.good, outcome
                contested += killed
    say(f"{contested} crashes, four consoles after each")
