"""Consoles killed with SIGKILL: nothing is lost, nothing is doubled, every run ends.

The short form; ``make torture`` runs the long one.
"""

from __future__ import annotations

import random

import pytest

from tests.torture.lab import Torture
from tests.torture.shapes import DOCUMENTS, HANDED_OVER, SHAPES, SLOW


@pytest.mark.parametrize("shape", [*SHAPES, *DOCUMENTS])
def test_a_run_that_nobody_kills(torture: Torture, shape: str) -> None:
    outcome = torture.one_run(shape)
    assert outcome.good, outcome
    assert outcome.kills == 0


@pytest.mark.parametrize(
    "shape", ["chain, para, chain", "replay from failed", "retries", HANDED_OVER]
)
def test_a_kill_at_every_point(torture: Torture, shape: str) -> None:
    outcome = torture.every_point(shape)
    assert outcome.good, outcome
    assert outcome.kills >= 25


def test_kills_at_random(torture: Torture) -> None:
    outcome = torture.random_kills(random.Random(7), runs=8)
    assert outcome.good, outcome
    assert outcome.kills


@pytest.mark.parametrize("what", ["marker", "intent"])
def test_the_torture_finds_out_what_is_missing(torture: Torture, what: str) -> None:
    """Without one of the two things that the promise stands on, the same runs go wrong."""
    bad = torture.first_bad(SLOW, without=what)
    assert bad is not None
    assert bad.doubled
