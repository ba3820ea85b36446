from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process.loop.wheel import TICK, TimerWheel

TIMES = st.floats(0, 1000, allow_nan=False)


@given(st.lists(TIMES), st.lists(TIMES))
def test_every_item_comes_once_never_early_and_at_most_a_tick_late(
    deadlines: list[float], looks: list[float]
) -> None:
    wheel: TimerWheel[int] = TimerWheel()
    for number, at in enumerate(deadlines):
        wheel.add(at, number)
    out: dict[int, tuple[float, float]] = {}
    before = -1.0
    for now in [*sorted(looks), 1e6]:
        for number in wheel.take_due(now):
            assert number not in out
            out[number] = (before, now)
        before = now
    assert set(out) == set(range(len(deadlines)))
    for number, (before, now) in out.items():
        assert deadlines[number] <= now + 1e-9
        assert deadlines[number] + TICK > before - 1e-9


def test_next_at_is_the_earliest_bucket() -> None:
    wheel: TimerWheel[str] = TimerWheel()
    assert wheel.next_at is None
    wheel.add(5.0, "late")
    wheel.add(1.0, "early")
    assert wheel.next_at is not None
    assert abs(wheel.next_at - 1.0) <= TICK
    assert wheel.take_due(2.0) == ["early"]
    assert wheel.take_due(2.0) == []
