"""RabbitMQ that is away, silent, cut off or restarted: told in a sentence, the loop never waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process import TaskManager
from kimera_tui.process.events import ConnectionBack, ConnectionLost, Noticed
from tests.process.listening import Listener, measured_lag
from tests.process.redis.servers import Proxy, Server, free_port, worker

from .console import SECONDS, Ways, managed
from .rabbit import Rabbit


def rpc(broker: str, queue: str = "far") -> Ways:
    return Ways("rpc", broker, "rpc://", queue)


async def refused(ways: Ways, folder: Path) -> tuple[str, float]:
    """What is said when nothing can be sent, and after how long."""
    async with managed(ways, folder) as manager:
        began = time.monotonic()
        async with measured_lag() as lag:
            with pytest.raises(BrokerUnavailable) as error:
                await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)
        assert not lag.held_up
        assert not isinstance(error.value, PublishUncertain)
        return str(error.value), time.monotonic() - began


@pytest.mark.parametrize(
    "url",
    ["amqp://127.0.0.1:{0}//", "sentinel://127.0.0.1:{0}/0?master_name=m",
     "sentinel://127.0.0.1:{0};sentinel://127.0.0.1:{1}/0?master_name=m"],
)  # fmt: skip
async def test_a_broker_that_is_not_there(url: str, tmp_path: Path) -> None:
    sentence, seconds = await refused(rpc(url.format(free_port(), free_port())), tmp_path)
    assert "is not there" in sentence
    assert sentence.endswith(".")
    assert seconds < 6


async def test_a_sentinel_url_has_to_name_its_master(tmp_path: Path) -> None:
    from kimera_tui.errors import ConfigError

    async with managed(rpc("sentinel://127.0.0.1:1"), tmp_path) as manager:
        with pytest.raises(ConfigError, match="master_name"):
            await manager.send_async("add", "lab")


async def test_a_wrong_password_and_a_wrong_vhost(rabbit: Rabbit, tmp_path: Path) -> None:
    sentence, _ = await refused(rpc(f"amqp://guest:s3cret@127.0.0.1:{rabbit.port}//"), tmp_path)
    assert "refused the password" in sentence
    assert "s3cret" not in sentence
    sentence, _ = await refused(rpc(rabbit.url("nowhere")), tmp_path)
    assert "virtual host" in sentence


async def test_a_silent_broker_is_given_up(own_rabbit: Rabbit, tmp_path: Path) -> None:
    own_rabbit.freeze()
    try:
        sentence, seconds = await refused(rpc(own_rabbit.url()), tmp_path)
    finally:
        own_rabbit.thaw()
    assert sentence
    assert seconds < 12


async def test_a_refused_message_is_known_not_to_be_queued(rabbit: Rabbit, tmp_path: Path) -> None:
    async with managed(rpc(rabbit.url(), "refused"), tmp_path) as manager:
        options: dict[str, Any] = {"exchange": "no-such-exchange", "routing_key": "x"}
        with pytest.raises(BrokerUnavailable, match="NOT_FOUND") as error:
            await asyncio.wait_for(manager.send_async("add", "lab", [1], **options), SECONDS)
        assert not isinstance(error.value, PublishUncertain)
        await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)
        assert await asyncio.to_thread(queued, manager, "refused") == 1


@pytest.fixture
async def proxied(rabbit: Rabbit, tmp_path: Path) -> AsyncIterator[tuple[TaskManager, Proxy]]:
    """A manager whose way to RabbitMQ can be cut."""
    async with Proxy(rabbit.port) as proxy:
        way = rpc(f"amqp://guest:guest@127.0.0.1:{proxy.port}//", f"q{proxy.port}")
        async with managed(way, tmp_path) as manager:
            yield manager, proxy


async def test_a_lost_confirm_is_uncertain_and_never_sent_again(
    proxied: tuple[TaskManager, Proxy], rabbit: Rabbit
) -> None:
    manager, proxy = proxied
    queue = f"q{proxy.port}"
    await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)
    proxy.lose_reply_to = b"lost-confirm"
    with pytest.raises(PublishUncertain, match="may or may not be queued"):
        await asyncio.wait_for(manager.send_async("add", "lab", ["lost-confirm"]), SECONDS)
    await asyncio.sleep(1.5)
    assert await asyncio.to_thread(queued, manager, queue) == 2  # it was; once


async def test_an_idle_connection_that_was_cut_costs_nothing(
    proxied: tuple[TaskManager, Proxy],
) -> None:
    manager, proxy = proxied
    first = await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)
    proxy.cut()
    await asyncio.sleep(0.3)
    second = await asyncio.wait_for(manager.send_async("add", "lab", [2]), SECONDS)
    assert await asyncio.to_thread(queued, manager, f"q{proxy.port}") == 2
    first.cancel()
    second.cancel()


async def test_a_broker_that_is_away_is_waited_for_as_long_as_asked(
    proxied: tuple[TaskManager, Proxy],
) -> None:
    manager, proxy = proxied
    first = await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)
    proxy.refuse = True
    proxy.cut()
    with Listener() as listener:
        waiting = asyncio.ensure_future(manager.send_async("add", "lab", [2], patience=60))
        async with asyncio.timeout(SECONDS):
            while not listener.of(Noticed):  # noqa: ASYNC110 - events are looked for
                await asyncio.sleep(0.05)
        assert not waiting.done()
        assert "Not sent yet" in listener.of(Noticed)[0].text
    with pytest.raises(BrokerUnavailable):  # one without patience is told at once
        await asyncio.wait_for(manager.send_async("add", "lab", [3]), SECONDS)
    proxy.refuse = False
    second = await asyncio.wait_for(waiting, SECONDS)
    assert await asyncio.to_thread(queued, manager, f"q{proxy.port}") == 2
    first.cancel()
    second.cancel()


async def test_a_first_connection_that_is_refused_is_not_waited_for(tmp_path: Path) -> None:
    async with managed(rpc(f"amqp://127.0.0.1:{free_port()}//"), tmp_path) as manager:
        with pytest.raises(BrokerUnavailable, match="is not there"):
            await asyncio.wait_for(manager.send_async("add", "lab", [1], patience=600), SECONDS)


async def test_waits_go_on_over_a_restart_of_rabbitmq(
    own_rabbit: Rabbit, redis_server: Server, tmp_path: Path
) -> None:
    """Results in Redis; the node is killed while the task runs."""
    ways = Ways("restart", own_rabbit.url(), redis_server.url(3), "restart")
    with worker(ways.broker, ways.backend, redis_server.url(5), queues="restart", name="restart"):
        async with managed(ways, tmp_path) as manager:
            handle = await manager.send_async("sleep", "lab", [2])
            await asyncio.sleep(1)
            own_rabbit.kill()
            assert await asyncio.wait_for(handle, SECONDS) == 2
            with pytest.raises(BrokerUnavailable):
                await asyncio.wait_for(manager.send_async("add", "lab", [1]), SECONDS)


async def test_rpc_results_arrive_after_the_connection_was_cut(
    rabbit: Rabbit, redis_server: Server, tmp_path: Path
) -> None:
    async with Proxy(rabbit.port) as proxy:
        way = rpc(f"amqp://guest:guest@127.0.0.1:{proxy.port}//", "cut")
        counts = redis_server.url(5)
        with worker_in_thread(rabbit.url(), counts) as starting:
            await asyncio.to_thread(starting)
            async with managed(way, tmp_path) as manager:
                with Listener() as listener:
                    handle = await manager.send_async("sleep", "lab", [4])
                    await asyncio.sleep(0.5)
                    proxy.cut()
                    assert await asyncio.wait_for(handle, SECONDS) == 4
                    lost = listener.of(ConnectionLost)
                    assert len(lost) == len(listener.of(ConnectionBack))


class worker_in_thread:  # noqa: N801 - used like the context manager that it stands for
    """A worker whose start can be awaited off the loop, on which the proxy runs."""

    def __init__(self, broker: str, counts: str) -> None:
        self._made = worker(broker, "rpc://", counts, queues="cut", name="cut")

    def __enter__(self) -> Any:
        return self._made.__enter__

    def __exit__(self, *exc: Any) -> None:
        self._made.__exit__(*exc)


def queued(manager: TaskManager, queue: str) -> int:
    with manager.celery_app.connection_for_read() as connection:
        channel = connection.channel()
        return int(channel.queue_declare(queue, passive=True).message_count)
