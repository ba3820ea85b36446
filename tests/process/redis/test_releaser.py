from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import Forgotten, RevokeSent
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.redis.releaser import WINDOW
from tests.conftest import REPO

from .console import Console, until
from .servers import Server, free_port


def left(server: Server, ids: list[str]) -> list[bytes]:
    client = server.client()
    return [
        key  # type: ignore[misc]
        for each in ids
        for key in (f"celery-task-meta-{each}", f"kimera:pub:{each}")
        if client.exists(key)
    ]


BOTH = {"w1@lab", "w2@lab"}


def replies_awaited(console: Console, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each revoke from now on, how many workers' replies it waits for."""
    control, awaited = console.app.control, []
    revoke = control.revoke

    def counted(*args: Any, **options: Any) -> Any:
        awaited.append(options.get("limit", 0) if options["reply"] else 0)
        return revoke(*args, **options)

    monkeypatch.setattr(control, "revoke", counted)
    return awaited


async def test_a_live_worker_leaves_nothing_behind(lab: Server) -> None:
    console, ids = Console(lab.url()), [new_id() for _ in range(300)]
    await asyncio.gather(*(console.call("add", 1, task_id=each) for each in ids))
    await console.engine.releaser.settle()
    assert left(lab, ids) == []
    await asyncio.sleep(0.3)  # a worker that was told too late would store REVOKED by now
    assert left(lab, ids) == []
    assert {event.task_id for event in console.of(Forgotten)} == set(ids)
    receipts = console.of(RevokeSent)[0].receipts
    assert {receipt.worker for receipt in receipts if receipt.ok} == BOTH
    assert len(receipts[0].answer) < 60


async def test_what_is_released_together_goes_with_one_broadcast(lab: Server) -> None:
    console, ids = Console(lab.url()), [new_id() for _ in range(50)]
    await asyncio.gather(*(console.call("add", 1, task_id=each, release=False) for each in ids))
    broadcasts = lab.client().pubsub(ignore_subscribe_messages=True)
    broadcasts.psubscribe("*celery.pidbox*")
    broadcasts.get_message(timeout=1)
    started = time.monotonic()
    for each in ids:
        console.engine.releaser.release(each)
    await until(lambda: len(console.of(Forgotten)) == 50)
    assert time.monotonic() - started >= WINDOW
    assert broadcasts.get_message(timeout=0.2)
    assert broadcasts.get_message(timeout=0.2) is None


async def test_nobody_listening_costs_no_events(lab: Server) -> None:
    console, task_id = Console(lab.url()), new_id()
    console.mailbox.close()
    await console.call("add", 1, task_id=task_id)
    await console.engine.releaser.settle()
    assert left(lab, [task_id]) == []
    assert console.events == []


async def test_a_revoke_brings_receipts(lab: Server) -> None:
    console = Console(lab.url())
    receipts = await console.engine.releaser.revoke([new_id()])
    assert {(receipt.worker, receipt.ok) for receipt in receipts} == {(name, True) for name in BOTH}
    assert "flagged as revoked" in receipts[0].answer


async def test_a_revoked_task_ends_as_revoked(lab: Server) -> None:
    console, task_id = Console(lab.url()), new_id()
    waiting = asyncio.ensure_future(console.call("add", 1, task_id=task_id, countdown=1))
    await until(lambda: lab.client().exists(f"kimera:pub:{task_id}"))
    await asyncio.sleep(0.2)
    await console.engine.releaser.revoke([task_id])
    outcome = await waiting
    assert outcome.state == "REVOKED"


async def test_without_any_worker_release_does_not_wait_for_one(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, client = Console(own_server.url()), own_server.client()
    task_id = await console.publish("a.b", queue="far")
    client.set(f"celery-task-meta-{task_id}", "{}")
    assert await console.engine.releaser.revoke([task_id]) == []
    console.engine.releaser.release(task_id)
    awaited = replies_awaited(console, monkeypatch)
    await console.engine.releaser.settle()
    assert awaited == [0]
    assert left(own_server, [task_id]) == []


async def test_a_dead_worker_is_waited_for_once(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    console, client = Console(own_server.url()), own_server.client()
    client.sadd("_kombu.binding.celery.pidbox", "\x06\x16\x06\x16dead@host.celery.pidbox")
    awaited = replies_awaited(console, monkeypatch)
    for _ in range(2):
        console.engine.releaser.release(new_id())
        await console.engine.releaser.settle()
    assert awaited == [1, 0]


async def test_revoking_without_a_broker_is_an_error() -> None:
    console = Console(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(BrokerUnavailable):
        await console.engine.releaser.revoke([new_id()])


async def test_releasing_without_a_broker_gives_up_and_settles() -> None:
    console = Console(f"redis://127.0.0.1:{free_port()}/0")
    console.engine.releaser.release(new_id())
    await asyncio.wait_for(console.engine.releaser.settle(), 5)
    assert console.engine.releaser._pending == []  # type: ignore[attr-defined]


def test_the_end_of_the_loop_releases_what_is_left(lab: Server) -> None:
    async def short(ids: list[str]) -> Console:
        console = Console(lab.url())
        await asyncio.gather(*(console.call("add", 1, task_id=each) for each in ids))
        return console

    for _ in range(2):  # and again on a second loop
        ids = [new_id() for _ in range(20)]
        console = asyncio.run(short(ids))
        assert left(lab, ids) == []
        console.engine.close()


async def test_close_on_the_own_loop_releases_too(lab: Server) -> None:
    console, task_id = Console(lab.url()), new_id()
    await console.call("add", 1, task_id=task_id)
    console.engine.close()
    await until(lambda: left(lab, [task_id]) == [])
    assert left(lab, [task_id]) == []


def test_a_short_script_ends_at_once_and_leaves_nothing(lab: Server) -> None:
    script = (
        "import asyncio\n"
        "from tests.process.redis.console import Console\n"
        "async def main():\n"
        f"    console = Console({lab.url()!r})\n"
        "    print((await console.call('add', 1, task_id='short-script')).result)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script],
        cwd=REPO, capture_output=True, timeout=60, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert left(lab, ["short-script"]) == []
