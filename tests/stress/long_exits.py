"""The long form of the stress on exits: 200 starts and ends of each kind.

Not collected by ``make test``: run it with ``make stress``. ``-k`` chooses kinds.
"""

from __future__ import annotations

import sys

import pytest

from tests.stress.exits import KINDS, stressed
from tests.stress.test_exits import broker

__all__ = ["broker"]
TIMES = 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_end_is_right(kind: str, broker: str, share: float) -> None:
    outcome = stressed(kind, max(1, round(TIMES * share)), broker)
    sys.stdout.write(f"{kind}: {outcome}\n")
    sys.stdout.flush()
    assert outcome.faults == []
