"""Only a control queue that does not exist shows that a worker's connection is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kimera_tui.cluster.connections import Connections


class Refused(Exception):
    """A channel error with AMQP's code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class FakeBroker:
    """An app, its connection and its channel; declaring a queue gives what it is told."""

    answer: object
    broker_write_url: str = "amqp://here"
    namespace: str = "celery"
    channel_errors = (Refused,)
    connection_errors = (OSError,)
    asked: str = ""

    def __getattr__(self, name: str) -> Any:
        if name in ("conf", "control", "mailbox"):
            return self
        return lambda *args, **options: self

    def __enter__(self) -> FakeBroker:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def queue_declare(self, queue: str, *, passive: bool) -> object:
        assert passive
        self.asked = queue
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (Refused(404), {"w1@lab"}),
        (Refused(405), set()),
        (Refused(406), set()),
        (OSError(), set()),
        ("a queue, with or without consumers", set()),
    ],
    ids=str,
)
async def test_who_is_gone(answer: object, gone: set[str]) -> None:
    broker = FakeBroker(answer)
    connections = Connections(broker)
    assert await connections.gone({"w1@lab"}) == gone
    connections.close()
    assert broker.asked == "w1@lab.celery.pidbox"


async def test_other_brokers_are_not_asked() -> None:
    broker = FakeBroker(Refused(404), broker_write_url="redis://here")
    connections = Connections(broker)
    assert await connections.gone({"w1@lab"}) == set()
    connections.close()
    assert broker.asked == ""
