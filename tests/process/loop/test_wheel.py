from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process.loop.wheel import TimerWheel

TICK = 0.05

TIMES = st.floats(0, 1000, allow_nan=False)


@given(st.lists(TIMES), st.lists(TIMES))
def test_every_item_comes_once_never_early_and_at_most_a_tick_late(
    deadlines: list[float], looks: list[float]
) -> None:
    wheel: TimerWheel[list[int]] = TimerWheel(TICK, list)
    for number, at in enumerate(deadlines):
        wheel.bucket(at).append(number)
    out: dict[int, tuple[float, float]] = {}
    before = -1.0
    for now in [*sorted(looks), 1e6]:
        for number in chain.from_iterable(wheel.take_due(now)):
            assert number not in out
            out[number] = (before, now)
        before = now
    assert set(out) == set(range(len(deadlines)))
    for number, (before, now) in out.items():
        assert deadlines[number] <= now + 1e-9
        assert deadlines[number] + TICK > before - 1e-9


def test_next_at_is_the_earliest_bucket() -> None:
    wheel: TimerWheel[list[str]] = TimerWheel(TICK, list)
    assert wheel.next_at is None
    wheel.bucket(5.0).append("late")
    wheel.bucket(1.0).append("early")
    assert wheel.next_at is not None
    assert abs(wheel.next_at - 1.0) <= TICK
    assert wheel.take_due(2.0) == [["early"]]
    assert wheel.take_due(2.0) == []
