"""``kimera-tui send``: one task, sent and awaited without a screen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.given_secrets import SECRET, Sources, call_secrets
from kimera_tui.cli.output import complain, data, narrate, perform, show_traceback
from kimera_tui.errors import KimeraError, TaskFailed, TimeoutException, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kimera_tui.cli.parts import Parts
    from kimera_tui.config.friends import Param
    from kimera_tui.process import TaskParams
    from kimera_tui.process.bus import Mailbox
    from kimera_tui.runs.book import RunBook
    from kimera_tui.workflows.calls import Workflow

_SILENT = {"polled", "run", "forgotten", "released", "callback", "broker", "failed", "succeeded"}
_STATUS = {1: "failed", 3: "timed out", 4: "revoked"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands on the command line."""

    friend: str
    task: str
    args: str
    kwargs: str
    secrets: tuple[str, ...]
    timeout: str
    as_json: bool
    unchecked: bool
    yes: bool


@click.command()
@click.argument("friend")
@click.argument("task")
@click.option("--args", default="", help="A JSON list, like '[1, 2]'; @FILE; - for stdin.")
@click.option("--kwargs", default="", help="Named arguments: a JSON object; @FILE; - for stdin.")
@SECRET
@click.option("--timeout", default="", help="30, 30s, 5m or 1h30m.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.option("--yes", is_flag=True, help="Send to a friend that is marked as dangerous.")
@click.option("--unchecked", is_flag=True, help="Don't compare with friends.yaml's parameters.")
def send(**asked: Any) -> None:
    """Send TASK to FRIEND, wait, and print its result.

    Exit codes: 0 done, 1 the task failed, 2 usage, 3 timed out, 4 revoked, 69 broker
    unreachable, 130 interrupted.
    """
    perform(_send(_Asked(**asked)), sends=True)


async def _send(call: _Asked) -> int:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.book import RunBook

    parts, book = Parts(), RunBook()
    try:
        result = await _answered(call, parts, book)
    except KimeraError as error:
        return _failed(error, call, book)
    else:
        told = {"friend": call.friend, "task": call.task, "status": "done", "result": result}
        data(told if call.as_json else result, as_json=call.as_json)
        return 0
    finally:
        await parts.close()


async def _answered(call: _Asked, parts: Parts, book: RunBook) -> Any:
    """The task's result without the call's secrets, which the book knows then."""
    from kimera_tui.runs.masking import hidden_result
    from kimera_tui.workflows.calls import single

    params, secrets, queue, full_name = _params_of(call, parts)
    with parts.bus.subscribe() as mailbox:
        teller = asyncio.create_task(_tell(mailbox, book))
        await parts.start()
        warner = asyncio.create_task(_warn(parts, queue, full_name))
        try:
            result = await _sent(parts, single(params, secrets), book)
        finally:
            for background in (warner, teller):
                background.cancel()
            await asyncio.gather(warner, teller, return_exceptions=True)
            _take(mailbox, book)
    for run in book.runs.values():
        result = hidden_result(result, run)
    return result


def _params_of(call: _Asked, parts: Parts) -> tuple[TaskParams, Collection[str], str, str]:
    """The call, checked; which arguments are secrets given apart; its queue; its full name."""
    from kimera_tui.config.friends import TaskInfo, find_friend
    from kimera_tui.process import TaskParams
    from kimera_tui.workflows import fields

    parts.need_friends()
    config = find_friend(parts.friends, call.friend)
    if config.danger and not call.yes:
        raise UsageError(
            f"Friend `{call.friend}` is marked as dangerous: nothing was sent.",
            hint="--yes sends all the same.",
        )
    sources = Sources()
    declared = config.tasks.get(call.task, TaskInfo()).params
    args = fields.parse_args(sources.text("--args", call.args))
    kwargs = fields.parse_kwargs(sources.text("--kwargs", call.kwargs))
    _warn_of_visible(call, declared, kwargs)
    asked = {} if call.unchecked else declared
    secrets = call_secrets(asked, args, kwargs, sources.secrets(call.secrets))
    params = TaskParams(
        friend=call.friend,
        task_name=fields.check_task_name(call.task),
        args=args,
        kwargs={**kwargs, **secrets},
        timeout=fields.parse_timeout(call.timeout) if call.timeout else config.timeout,
    )
    if not call.unchecked:
        fields.check_call(declared, params.args, params.kwargs)
    return params, secrets.keys(), config.queue, f"{config.route}.{call.task}"


def _warn_of_visible(
    call: _Asked, declared: Mapping[str, Param], kwargs: Mapping[str, Any]
) -> None:
    """Say which secrets stand in the command's own words."""
    if call.kwargs == "-" or call.kwargs.startswith("@"):
        return
    for name in kwargs:
        if name in declared and declared[name].secret:
            narrate(
                f"warning: others on this machine can read {name} in the list of processes;"
                f" --secret {name}=env:NAME or --kwargs - keeps it from them"
            )


async def _sent(parts: Parts, workflow: Workflow, book: RunBook) -> Any:
    """The task's result; a time-out says what is known of where the task is."""
    run_id = await parts.launch(workflow)
    try:
        return await (await parts.runner()).result(run_id)
    except TimeoutException as error:
        await asyncio.sleep(0)  # the teller folds what has just been told
        place = book.place_of(error.task_id)
        if place is not None and "not started yet" in place[1].cause:
            error.message += f": {place[1].cause}. It stays queued for a worker that comes later"
        raise


async def _tell(mailbox: Mailbox, book: RunBook) -> None:
    """Narrate what happens to the task."""
    while True:
        await mailbox.wait()
        _take(mailbox, book)


def _take(mailbox: Mailbox, book: RunBook) -> None:
    from kimera_tui.runs.masking import masked
    from kimera_tui.runs.narration import narrate as words_of

    for raw in mailbox.drain():
        event = masked(raw, book)
        book.apply(event)
        words = words_of(event)
        if words is not None and words[0] not in _SILENT:
            narrate(f"{words[0]}: {words[2]}")


async def _warn(parts: Parts, queue: str, task: str) -> None:
    """Say at once when nobody will take the task; an embedded worker may still be starting."""
    inspector = await parts.inspector()
    view = await inspector.look()
    while parts.embedded and not view.workers:
        await asyncio.sleep(0.3)
        view = await inspector.look()
    for finding in view.findings(queue, task):
        narrate(f"warning: {finding}")


def _failed(error: KimeraError, call: _Asked, book: RunBook) -> int:
    """Print an error without the call's secrets; returns its exit code."""
    hide = next((run.secrets.text for run in book.runs.values()), str)
    if call.as_json:
        data(_told(error, call, hide), as_json=True)
    else:
        show_traceback(error, hide)
    complain(error, hide)
    return error.exit_code


def _told(error: KimeraError, call: _Asked, hide: Callable[[str], str]) -> dict[str, Any]:
    """An error as data."""
    told: dict[str, Any] = {
        "friend": call.friend,
        "task": call.task,
        "status": _STATUS.get(error.exit_code, "not sent"),
        "error": hide(str(error)),
    }
    if isinstance(error, TaskFailed):
        told |= {
            "error_type": error.error_type,
            "error_message": hide(error.error_message),
            "traceback": hide(error.traceback),
        }
    return told
