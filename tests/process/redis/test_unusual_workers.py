"""Workers that are set up in other ways than the console would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from kimera_tui.errors import TaskFailed, TimeoutException
from kimera_tui.process.loop.clock import new_id

from .servers import Server, worker
from .test_revoke_until_acked import managing


def otherwise(server: Server, conf: Mapping[str, Any]) -> Any:
    url = server.url()
    return worker(url, url, server.url(5), conf=conf)


async def test_a_task_that_is_ignored_never_ends_and_is_waited_for_as_long_as_asked(
    lab: Server,
) -> None:
    async with managing(lab) as manager:
        with pytest.raises(TimeoutException, match=r"lab\.tasks\.ignored"):
            await manager.send_await("ignored", "lab", timeout=1)


@pytest.mark.parametrize("conf", [{"result_serializer": "yaml"}, {"result_compression": "gzip"}])
async def test_a_result_in_another_form_is_said_not_to_be_json(
    own_server: Server, conf: dict[str, str]
) -> None:
    with otherwise(own_server, conf):
        async with managing(own_server) as manager:
            with pytest.raises(TaskFailed, match="the stored result is not JSON"):
                await manager.send_await("add", "lab", [1, 2], timeout=20)


async def test_without_remote_control_nobody_acknowledges_a_revoke_and_results_arrive(
    own_server: Server,
) -> None:
    with otherwise(own_server, {"worker_enable_remote_control": False}):
        async with managing(own_server) as manager:
            assert await manager.send_await("add", "lab", [1, 2], timeout=60) == 3
            began = time.monotonic()
            assert await manager.revoke(new_id()) == []
            assert time.monotonic() - began < 5
            await manager.settle()
