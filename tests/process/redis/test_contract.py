"""What the engine queues equals, field by field, what plain ``send_task`` queues."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from celery import Celery
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Exchange, Queue

from kimera_tui.process.loop.clock import new_id

from .console import Console, make_app
from .servers import Server

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=8)
    | st.datetimes(timezones=st.just(dt.UTC))
    | st.dates()
    | st.times()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["plain", "ünï", "with space", "expiring"]),
        "priority": st.integers(0, 9),
        "headers": st.dictionaries(st.sampled_from(["x", "y-z"]), st.text(max_size=5)),
        "countdown": st.integers(1, 5000),
        "eta": st.datetimes(
            dt.datetime(2030, 1, 1),  # noqa: DTZ001
            dt.datetime(2040, 1, 1),  # noqa: DTZ001
            timezones=st.just(dt.UTC),
        ),
        "expires": st.integers(1, 5000),
        "time_limit": st.integers(1, 99),
        "soft_time_limit": st.integers(1, 99),
        "serializer": st.sampled_from(["json", "yaml"]),
        "shadow": st.text(max_size=5),
        "ignore_result": st.booleans(),
        "compression": st.sampled_from(["zlib"]),
        "correlation_tag": st.text(max_size=3),
    },
)
NAMES = st.sampled_from(["a.b", "routed.x", "100%.d", "ü.ä"])


def now() -> dt.datetime:
    """One moment for both, so that a countdown becomes one and the same ETA."""
    return dt.datetime(2026, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


def lab_app(url: str) -> Celery:
    return make_app(
        url,
        task_queues=[
            Queue("celery"),
            Queue("expiring", queue_arguments={"x-expires": 600_000}),
            Queue("routed", Exchange("routed", type="direct"), routing_key="routed"),
        ],
        task_routes={"routed.*": {"queue": "routed", "priority": 3}},
        task_create_missing_queues=True,
    )


class Twins:
    """One app that sends plainly and one console, on two databases."""

    def __init__(self, server: Server, databases: tuple[int, int] = (8, 9)) -> None:
        self.databases = databases
        self.server = server
        self.runner = asyncio.Runner()
        self.plain = lab_app(server.url(databases[0]))
        self.console: Console

        async def open_console() -> None:
            self.console = Console(server.url(databases[1]))
            self.console.app.conf.update(
                task_queues=lab_app("redis://").conf.task_queues,
                task_routes={"routed.*": {"queue": "routed", "priority": 3}},
            )

        self.runner.run(open_console())
        self.plain.now = self.console.app.now = now  # type: ignore[method-assign]

    def send(
        self, name: str, args: Any, kwargs: dict[str, Any], options: dict[str, Any]
    ) -> tuple[Any, Any]:
        found = []
        for db in self.databases:
            client = self.server.client(db)
            client.flushdb()
            task_id = new_id()
            if db == self.databases[0]:
                self.plain.send_task(name, args, kwargs, task_id=task_id, **options)
            else:
                self.runner.run(
                    self.console.publish(name, args=args, kwargs=kwargs, task_id=task_id, **options)
                )
            found.append(queued(client, task_id))
        return found[0], found[1]


def queued(client: Any, task_id: str) -> dict[str, Any]:
    """All lists, their time to live, and each message with what differs by nature levelled."""
    lists = {}
    for key in client.keys("*"):
        if client.type(key) == b"list":
            lives = client.pttl(key)
            texts = [text.decode() for text in client.lrange(key, 0, -1)]
            lists[key] = (lives > 0, [level(json.loads(text), task_id) for text in texts])
    bindings = set(client.keys("_kombu.binding.*"))
    return {"lists": lists, "bindings": bindings}


def level(envelope: dict[str, Any], task_id: str) -> dict[str, Any]:
    text = json.dumps(envelope).replace(task_id, "<id>")
    levelled: dict[str, Any] = json.loads(text)
    levelled["properties"]["delivery_tag"] = "<tag>"
    levelled["properties"]["reply_to"] = "<oid>"
    if levelled["content-type"] == "application/json" and "compression" not in levelled["headers"]:
        levelled["body"] = base64.b64decode(levelled["body"]).decode().replace(task_id, "<id>")
    return levelled


@pytest.fixture(scope="module")
def twins(server: Server) -> Iterator[Twins]:
    pair = Twins(server)
    yield pair
    pair.runner.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.lists(VALUES, max_size=3), st.dictionaries(st.text(max_size=5), VALUES), OPTIONS)
def test_equal_to_send_task(
    twins: Twins, name: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]
) -> None:
    if options.get("serializer") == "yaml":
        pytest.importorskip("yaml")
        args, kwargs = ["a", 1], {"b": None}
    for _ in range(3):  # the third of a plain shape comes out of a template
        plain, ours = twins.send(name, args, kwargs, options)
        # Declarations are made once per connection, so only the lists are compared here.
        assert ours["lists"] == plain["lists"]
        assert ours["lists"]


def test_declares_the_queue_as_send_task_does(server: Server) -> None:
    twins = Twins(server, (10, 11))  # kombu remembers declarations per URL
    try:
        plain, ours = twins.send("routed.x", [1], {}, {})
        assert ours["bindings"] == plain["bindings"] != set()
    finally:
        twins.runner.close()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ([Decimal("1.50"), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)], {}),
        (["x" * 5000], {"long": "y" * 5000}),
        ([[[[["deep"]]]]], {"a": {"b": {"c": {"d": 1}}}}),
        (["'quotes'", '"', "\\", "\n", "\x01arg", "%s"], {"%(a)s": "\ud800"}),
        ((1, 2), {}),
        ([], {}),
    ],
    ids=["typed", "long", "deep", "odd text", "tuple", "nothing"],
)
def test_templates_equal_too(twins: Twins, args: Any, kwargs: dict[str, Any]) -> None:
    for _ in range(4):
        plain, ours = twins.send("a.b", args, kwargs, {"queue": "plain", "priority": 6})
        assert ours["lists"] == plain["lists"]


def test_an_explicit_exchange_is_routed_by_the_servers_bindings(twins: Twins) -> None:
    twins.send("routed.x", [1], {}, {})
    found = []
    for db in (8, 9):
        client, task_id = twins.server.client(db), new_id()
        client.flushdb()
        client.sadd("_kombu.binding.elsewhere", "key\x06\x16\x06\x16afar")
        options: dict[str, Any] = {"exchange": "elsewhere", "routing_key": "key"}
        if db == 8:
            twins.plain.send_task("a.b", [1], task_id=task_id, **options)
        else:
            twins.runner.run(twins.console.publish("a.b", args=[1], task_id=task_id, **options))
        found.append(queued(client, task_id))
    assert found[0]["lists"] == found[1]["lists"]
    assert list(found[0]["lists"]) == [b"afar"]


def test_task_sent_events_go_out_after_the_task(twins: Twins) -> None:
    console_conf = twins.console.app.conf
    listener = twins.server.client().pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("*celeryev*")
    listener.get_message(timeout=1)
    console_conf.task_send_sent_event = True
    try:
        twins.runner.run(twins.console.publish("a.b", 1))
    finally:
        console_conf.task_send_sent_event = False
    message = listener.get_message(timeout=2)
    assert message is not None
    assert b"task-sent" in base64.b64decode(json.loads(message["data"])["body"])
