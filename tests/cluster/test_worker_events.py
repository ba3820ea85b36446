"""Events that arrive in one message keep their order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from kimera_tui.cluster.sightings import Sighting, Where
from kimera_tui.cluster.worker_events import facts_of
from kimera_tui.cluster.world import World


def sighting_after(*kinds: str) -> Sighting:
    """Where a task is after these events in one message."""
    message: list[Any] = [
        {"type": f"task-{kind}", "hostname": "w", "uuid": "t", "name": "a.b"} for kind in kinds
    ]
    facts = list(facts_of(message, 1_800_000_000.25))
    sightings = set()
    for order in permutations(facts):
        world = World()
        world.take(order)
        sightings.add(world.sighting("t", 1_800_000_001.0))
    (sighting,) = sightings
    return sighting


@pytest.mark.parametrize(
    ("kinds", "where", "phase"),
    [
        (["received", "started"], Where.HELD, "running"),
        (["received", "started", "retried", "received"], Where.HELD, "reserved"),
        (["received", "started", "retried", "received", "started"], Where.HELD, "running"),
        (["received", "started", "succeeded"], Where.ENDED, None),
        (["received", "started", "rejected", "received"], Where.HELD, "reserved"),
    ],
)
def test_the_last_of_the_events_of_one_message_counts(
    kinds: list[str], where: Where, phase: str | None
) -> None:
    sighting = sighting_after(*kinds)
    assert (sighting.where, sighting.phase) == (where, phase)
