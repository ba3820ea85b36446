"""Time in which a server was away is counted once, however many servers were."""

from __future__ import annotations

from kimera_tui.process.outages import Outages


def test_outages_that_overlap_count_once() -> None:
    now = 10.0
    outages = Outages(lambda: now)
    assert outages.seconds == 0
    outages.begin("broker")
    now = 12.0
    assert outages.seconds == 2
    outages.begin("result backend")
    outages.begin("broker")
    now = 15.0
    outages.end("broker")
    outages.end("broker")
    now = 16.0
    assert outages.seconds == 6
    outages.end("result backend")
    now = 100.0
    assert outages.seconds == 6
    outages.begin("broker")
    now = 101.0
    assert outages.seconds == 7
