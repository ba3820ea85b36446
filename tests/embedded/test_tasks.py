"""The demo friends' tasks, through a real worker."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import Celery, Task
from celery.result import AsyncResult

from kimera_tui.embedded import services

SECONDS = 60
FRIENDS = Path(services.__file__).with_name("friends.yaml")


def send(client: Celery, name: str, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
    return client.send_task(name, args, kwargs, queue=name.partition(".")[0])


def run(client: Celery, name: str, *args: Any, **kwargs: Any) -> Any:
    return send(client, name, *args, **kwargs).get(timeout=SECONDS)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "result"),
    [
        ("calculator.add", [2, 3], {}, 5),
        ("calculator.add", [], {"a": 2, "b": 3, "payload": 4}, 9),
        ("calculator.multiply", [4], {"payload": 5}, 20),
        ("calculator.divide", [], {"payload": 9, "b": 2}, 4.5),
        ("calculator.total", [1, 2, 3], {}, 6),
        ("calculator.total", [[1, 2], 3], {"payload": [4]}, 10),
        (
            "calculator.stats",
            [2, 4],
            {},
            {"count": 2, "least": 2, "most": 4, "total": 6, "mean": 3},
        ),
        ("echo.value", [{"a": [1, None, "x"]}], {}, {"a": [1, None, "x"]}),
        ("echo.value", [], {"payload": "x"}, "x"),
        ("echo.a_dict", [], {"fed": 1}, {"city": "Lisbon", "visitors": 1290, "fed": 1}),
        ("echo.a_list", [], {}, [3, 5, 8]),
        ("echo.a_scalar", [], {}, 42),
        ("echo.nothing", [], {"payload": 1}, None),
        ("flaky.sleep", [0.01], {}, 0.01),
    ],
)
def test_result(
    client: Celery, name: str, args: list[Any], kwargs: dict[str, Any], result: Any
) -> None:
    assert run(client, name, *args, **kwargs) == result


def test_big_has_the_size_asked_for(client: Celery) -> None:
    text = run(client, "echo.big", size_kb=300)
    assert len(text) == 300 * 1024
    assert text.startswith("0000000 the quick")


def test_reports_feed_each_other(client: Celery) -> None:
    rows = run(client, "reports.fetch", day="2026-01-31", count=2)
    assert rows["day"] == "2026-01-31"
    rendered = run(client, "reports.render", seconds=0.01, pages=2, token="secret", **rows)
    assert rendered["document"] == "report-2026-01-31-a4.pdf"
    summary = run(client, "reports.summarise", **rendered)
    assert summary == "2026-01-31: 2 rows in report-2026-01-31-a4.pdf, 237 in all"


def test_progress_is_seen(client: Celery) -> None:
    result = send(client, "reports.render", seconds=1.5, pages=5)
    seen: Counter[str] = Counter()
    deadline = time.monotonic() + SECONDS
    while not result.ready():
        assert time.monotonic() < deadline
        meta_of = client.backend.get_task_meta(result.id)  # in one read: `state` and `info` are two
        state, meta = str(meta_of["status"]), meta_of["result"]
        seen[state] += 1
        if state == "PROGRESS":
            assert meta["total"] == 5
            assert 1 <= meta["current"] <= 5
        time.sleep(0.02)
    assert seen["PROGRESS"]


def test_failures(client: Celery) -> None:
    with pytest.raises(ValueError, match="no luck today"):
        run(client, "flaky.fail", "no luck today")
    with pytest.raises(ZeroDivisionError):
        run(client, "calculator.divide", 1, 0)


def test_retry_ends_well(client: Celery) -> None:
    assert run(client, "flaky.retry", times=2, wait=0.1) == {"attempts": 3}


def test_crash_ends_only_its_own_process(client: Celery) -> None:
    with pytest.raises(Exception, match="exited prematurely"):
        run(client, "flaky.crash")
    assert run(client, "calculator.add", 1, 1) == 2


@pytest.mark.parametrize("kind", services.HOSTILE)
def test_hostile_text_arrives_as_it_is(client: Celery, kind: str) -> None:
    assert run(client, "flaky.hostile", kind) == services.HOSTILE[kind]


def test_worker_as_others_see_it(client: Celery) -> None:
    look = client.control.inspect(timeout=10, limit=1)
    queues = look.active_queues()
    assert queues is not None
    assert {queue["name"] for queue in queues["demo@kimera"]} == set(services.QUEUES)
    stats = look.stats()
    assert stats is not None
    assert stats["demo@kimera"]["prefetch_count"] == 2
    assert len(stats["demo@kimera"]["pool"]["processes"]) == 2
    conf = look.conf()
    assert conf is not None
    assert conf["demo@kimera"]["accept_content"] == ["json"]


def test_pickle_is_refused(client: Celery) -> None:
    """Whoever can write to the queue must not get to run code in the worker."""
    with client.connection_for_write() as connection:
        producer = client.amqp.Producer(connection)
        producer.publish(
            {"id": "x", "task": "calculator.add"},
            serializer="pickle",
            routing_key="calculator",
        )
    assert run(client, "calculator.add", 1, 2) == 3


def test_friends_file_fits_the_tasks() -> None:
    friends = yaml.safe_load(FRIENDS.read_text("utf-8"))["friends"]
    written = set()
    for friend, about in friends.items():
        assert about["queue"] == friend
        for name, task in about["tasks"].items():
            written.add(f"{about['route']}.{name}")
            function = getattr(services, name)
            assert function.name == f"{about['route']}.{name}"
            assert task["doc"]
            taken = inspect.signature(function.run).parameters
            for parameter, meaning in task.get("params", {}).items():
                assert parameter in taken
                assert set(meaning) <= {
                    "type", "required", "default", "description", "secret", "values",
                }  # fmt: skip
                assert meaning["type"] in {
                    "int", "float", "bool", "string", "date", "json", "enum",
                }  # fmt: skip
    tasks = [task for task in vars(services).values() if isinstance(task, Task)]
    assert written == {task.name for task in tasks}
    assert set(friends) == set(services.QUEUES)


def test_friends_file_is_offered_at_the_top_level() -> None:
    link = FRIENDS.parents[2] / "friends.yaml"
    assert link.resolve() == FRIENDS.resolve()
