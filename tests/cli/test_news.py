"""What several sources say of a task is told once."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

from kimera_tui.cli.json_output.events import news_of
from kimera_tui.cluster.monitor import Monitor
from kimera_tui.process.events import StateSeen, Succeeded
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.event_text import Words
from kimera_tui.runs.index import RunIndex
from tests.runs.lab import dispatched, started


def start(source: str, worker: str = "w1@host", task_id: str = "r-0") -> StateSeen:
    meta = {"hostname": worker} if worker else None
    return StateSeen(at=1_000_002, task_id=task_id, state="STARTED", meta=meta, source=source)


def words_of(event: object, index: RunIndex) -> Words | None:
    return news_of(event, index)[1]


def test_a_start_is_reported_once_whoever_says_it_first() -> None:
    index = RunIndex()
    seen = [started("r"), dispatched("r-0"), start("inspect"), start("backend", ""), start("event")]
    shown = [words[0] for event in seen if (words := words_of(event, index)) is not None]
    assert shown == ["run", "dispatched", "started"]
    assert words_of(start("event", "w2@host"), index) == ("started", "active", "on w2@host")
    assert words_of(start("event", task_id="r-1"), index) == ("started", "active", "on w1@host")
    assert words_of(StateSeen(at=1, task_id="r-0", state="RETRY"), index) is not None
    assert words_of(start("event", "w2@host"), index) is not None


class _Asked:
    """An inspector whose answer takes as long as the workers need to say more themselves."""

    def __init__(self, bus: EventBus, meanwhile: object) -> None:
        self._bus, self._meanwhile = bus, meanwhile

    async def active(self, task_ids: Set[str]) -> dict[str, str]:
        await asyncio.sleep(0)
        self._bus.publish(self._meanwhile)
        return dict.fromkeys(sorted(task_ids), "w1@host")

    def close(self) -> None:
        """Nothing to let go."""


async def _shown_while_asked(meanwhile: object, in_flight: set[str]) -> list[Any]:
    bus = EventBus()
    monitor = Monitor(
        None, bus, SystemClock(), lambda: in_flight, in_flight.__contains__, embedded=True
    )
    monitor.inspector.close()
    monitor.inspector = _Asked(bus, meanwhile)  # type: ignore[assignment]
    with bus.subscribe() as mailbox:
        looking = asyncio.create_task(monitor._publish_running())
        await asyncio.sleep(0)
        if isinstance(meanwhile, Succeeded):
            in_flight.discard(meanwhile.task_id)
        await looking
        shown = [event for event in mailbox.drain() if isinstance(event, StateSeen)]
    monitor.close()
    return [(event.task_id, event.source) for event in shown]


async def test_a_start_that_is_announced_while_the_workers_are_asked_is_not_reported_again() -> (
    None
):
    shown = await _shown_while_asked(start("event"), {"r-0", "r-1"})
    assert shown == [("r-0", "event"), ("r-1", "inspect")]


async def test_a_task_that_ended_while_the_workers_were_asked_is_not_said_to_start() -> None:
    ended = Succeeded(at=1, task_id="r-0", result=None)
    assert await _shown_while_asked(ended, {"r-0"}) == []
