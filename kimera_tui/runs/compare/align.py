"""Which step of one run corresponds to which of another: by id, then by path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """What identifies a step."""

    id: str
    """Its id in its document; empty for plain calls."""
    path: str
    task: str
    """Steps with different ids at the same path correspond only if their tasks are the same."""


def aligned(one: Sequence[Place], other: Sequence[Place]) -> list[tuple[int | None, int | None]]:
    """Pairs of positions in both runs, in the order of the first.

    None stands for a step that one run does not have. Steps that only the second has come after
    the step that they follow there.
    """
    partner = _partners(one, other)
    taken = {there: here for here, there in partner.items()}
    only_other: dict[int | None, list[int]] = {}
    last: int | None = None
    for at in range(len(other)):
        last = taken.get(at, last)
        if at not in taken:
            only_other.setdefault(last, []).append(at)
    pairs: list[tuple[int | None, int | None]] = [(None, at) for at in only_other.get(None, ())]
    for at in range(len(one)):
        pairs.append((at, partner.get(at)))
        pairs += [(None, there) for there in only_other.get(at, ())]
    return pairs


def _partners(one: Sequence[Place], other: Sequence[Place]) -> dict[int, int]:
    ids, others = _by_id(one), _by_id(other)
    partner = {at: others[name] for name, at in ids.items() if name in others}
    taken = set(partner.values())
    paths = {place.path: at for at, place in enumerate(other) if at not in taken}
    for at, place in enumerate(one):
        there = paths.get(place.path)
        if at not in partner and there is not None and _may_correspond(place, other[there]):
            partner[at] = there
    return partner


def _by_id(places: Sequence[Place]) -> dict[str, int]:
    return {place.id: at for at, place in enumerate(places) if place.id}


def _may_correspond(one: Place, other: Place) -> bool:
    return one.task == other.task or not (one.id and other.id)
