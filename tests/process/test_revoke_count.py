"""Many revokes within three hours are told once, with the setting that spares the workers."""

from __future__ import annotations

import logging

import pytest

from kimera_tui.process.events import ManyRevoked
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.stopping.revoke_count import MANY, SECONDS, RevokeCount


def test_many_revokes_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    mailbox = bus.subscribe()
    count = RevokeCount(Emitter(bus, SystemClock()), lambda: 1.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(MANY // 1000 + 5):
            count.add(1000)
    (event,) = mailbox.drain()
    assert isinstance(event, ManyRevoked)
    assert event.count == MANY + 1000
    assert "`release: forget`" in caplog.text
    assert caplog.text.count("revoked within three hours") == 1


def test_revokes_long_ago_do_not_count() -> None:
    bus, now = EventBus(), [0.0]
    mailbox = bus.subscribe()
    count = RevokeCount(Emitter(bus, SystemClock()), lambda: now[0])
    for _ in range(5):
        count.add(MANY)
        now[0] += SECONDS + 1
    assert mailbox.drain() == []
