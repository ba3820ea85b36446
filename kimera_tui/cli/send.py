"""``kimera-tui send``: one task, sent and awaited without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import click

from kimera_tui.cli.output import data, fail, narrate
from kimera_tui.errors import KimeraError, TaskFailed


@click.command()
@click.argument("friend")
@click.argument("task")
@click.option("--args", "args_text", default="", help="Arguments: a JSON list, like '[1, 2]'.")
@click.option("--kwargs", "kwargs_text", default="", help="Named arguments: a JSON object.")
@click.option("--timeout", "timeout_text", default="", help="30, 30s, 5m or 1h30m.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def send(
    friend: str, task: str, args_text: str, kwargs_text: str, timeout_text: str, as_json: bool
) -> None:
    """Send TASK to FRIEND, wait, and print its result.

    Exit codes: 0 done, 1 the task failed, 2 usage, 3 timed out, 4 revoked, 69 broker
    unreachable, 130 interrupted.
    """
    try:
        asyncio.run(_send(friend, task, args_text, kwargs_text, timeout_text, as_json))
    except KimeraError as error:
        if as_json:
            data(_told(error, friend, task), as_json=True)
        elif isinstance(error, TaskFailed) and error.traceback:
            narrate_block(error.traceback)
        fail(error)
    except KeyboardInterrupt:
        narrate("kimera-tui: interrupted; a task that was sent goes on.")
        sys.exit(130)


async def _send(
    friend: str, task: str, args_text: str, kwargs_text: str, timeout_text: str, as_json: bool
) -> None:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.config.friends import find_friend
    from kimera_tui.errors import ConfigError
    from kimera_tui.process import TaskParams
    from kimera_tui.workflows.document import single
    from kimera_tui.workflows.fields import (
        check_task_name,
        parse_args,
        parse_kwargs,
        parse_timeout,
    )

    parts = Parts()
    if parts.friends_problem:
        first, _, rest = parts.friends_problem.partition("\n")
        raise ConfigError(first, hint=rest)
    config = find_friend(parts.friends, friend)
    params = TaskParams(
        friend=friend,
        task_name=check_task_name(task),
        args=parse_args(args_text),
        kwargs=parse_kwargs(kwargs_text),
        timeout=parse_timeout(timeout_text) if timeout_text else config.timeout,
    )
    try:
        with parts.bus.subscribe() as mailbox:
            teller = asyncio.create_task(_tell(mailbox))
            await parts.start()
            warner = asyncio.create_task(_warn(parts, config.queue, f"{config.route}.{task}"))
            try:
                runner = await parts.runner()
                result = await runner.result(runner.start(single(params)))
            finally:
                for background in (warner, teller):
                    background.cancel()
                await asyncio.gather(warner, teller, return_exceptions=True)
        told = {"friend": friend, "task": task, "status": "done", "result": result}
        data(told if as_json else result, as_json=as_json)
    finally:
        await parts.close()


async def _tell(mailbox: Any) -> None:
    """Narrate what happens to the task."""
    from kimera_tui.runs.narration import narrate as words_of

    silent = {"polled", "run", "forgotten", "revoked", "callback", "broker", "failed", "succeeded"}
    while True:
        await mailbox.wait()
        for event in mailbox.drain():
            words = words_of(event)
            if words is not None and words[0] not in silent:
                narrate(f"{words[0]}: {words[2]}")


async def _warn(parts: Any, queue: str, task: str) -> None:
    """Say at once when nobody will take the task; an embedded worker may still be starting."""
    inspector = await parts.inspector()
    view = await inspector.look()
    while parts.embedded and not view.workers:
        await asyncio.sleep(0.3)
        view = await inspector.look()
    for finding in view.findings(queue, task):
        narrate(f"warning: {finding}")


def _told(error: KimeraError, friend: str, task: str) -> dict[str, Any]:
    """An error as data."""
    told: dict[str, Any] = {
        "friend": friend,
        "task": task,
        "status": {1: "failed", 3: "timed out", 4: "revoked"}.get(error.exit_code, "not sent"),
        "error": str(error),
    }
    if isinstance(error, TaskFailed):
        told |= {
            "error_type": error.error_type,
            "error_message": error.error_message,
            "traceback": error.traceback,
        }
    return told


def narrate_block(text: str) -> None:
    """Narrate several lines."""
    with contextlib.suppress(BrokenPipeError):
        for line in text.rstrip().splitlines():
            narrate(line)
