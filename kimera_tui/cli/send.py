"""``kimera-tui send``: one task, sent and awaited without a screen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.output import complain, data, narrate, perform, show_traceback
from kimera_tui.cli.secret_sources import SECRET, Sources, call_secrets
from kimera_tui.errors import KimeraError, TaskFailed, TimeoutException, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kimera_tui.config.friends import Param
    from kimera_tui.console.parts import Parts
    from kimera_tui.documents.calls import Workflow
    from kimera_tui.process import TaskParams
    from kimera_tui.process.loop.bus import Mailbox
    from kimera_tui.runs.index import RunBook, RunState
    from kimera_tui.runs.state import StepState

_SILENT = {"polled", "run", "forgotten", "released", "callback", "broker", "failed", "succeeded"}
_STATUS = {3: "timed out", 4: "revoked"}


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


@click.command(short_help="Send a task and print its result.")
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
    from kimera_tui.console.parts import Parts
    from kimera_tui.runs.index import RunBook

    parts, teller = Parts(say=narrate), _Teller(RunBook())
    try:
        result = await _answered(call, parts, teller)
    except KimeraError as error:
        return _failed(error, call, teller)
    except asyncio.CancelledError:
        if call.as_json:
            _print_end(call, teller, {"status": "interrupted"})
        raise
    else:
        if call.as_json:
            _print_end(call, teller, {"status": "done", "result": result})
        else:
            data(result, as_json=False)
        return 0
    finally:
        await parts.close()


async def _answered(call: _Asked, parts: Parts, teller: _Teller) -> Any:
    """The task's result without the call's secrets, which the teller's book knows then."""
    from kimera_tui.documents.calls import single
    from kimera_tui.runs.masking import hidden_result

    params, secrets, queue, full_name = _params_of(call, parts)
    with parts.bus.subscribe() as mailbox:
        telling = asyncio.create_task(teller.tell(mailbox))
        await parts.start()
        warning = asyncio.create_task(_warn(parts, queue, full_name, teller))
        try:
            result = await _sent(parts, single(params, secrets))
        finally:
            for background in (warning, telling):
                background.cancel()
            await asyncio.gather(warning, telling, return_exceptions=True)
            teller.take(mailbox)
    return result if teller.run is None else hidden_result(result, teller.run)


def _params_of(call: _Asked, parts: Parts) -> tuple[TaskParams, Collection[str], str, str]:
    """The call, checked; which arguments are secrets given apart; its queue; its full name."""
    from kimera_tui.config.friends import TaskInfo, find_friend
    from kimera_tui.documents import fields
    from kimera_tui.process import TaskParams

    parts.need_friends()
    config = find_friend(parts.friends, call.friend)
    if config.danger and not call.yes:
        raise UsageError(
            f"Friend `{call.friend}` is marked as dangerous: nothing was sent.",
            hint="Pass --yes to send anyway.",
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


async def _sent(parts: Parts, workflow: Workflow) -> Any:
    run_id = await parts.launch(workflow)
    return await (await parts.runner()).result(run_id)


@dataclass(slots=True)
class _Teller:
    """Narrates what happens to the task, each thing once."""

    book: RunBook
    warnings: list[str] = field(default_factory=list)
    """What speaks against the task's success."""

    @property
    def run(self) -> RunState | None:
        """The run of the call, once it has begun."""
        return next(iter(self.book.runs.values()), None)

    @property
    def step(self) -> StepState | None:
        """Its only step."""
        return None if self.run is None else next(iter(self.run.steps.values()))

    def hide(self, text: str) -> str:
        """The text without the call's secrets."""
        return text if self.run is None else self.run.secrets.text(text)

    async def tell(self, mailbox: Mailbox) -> None:
        """Tell what happens until cancelled."""
        while True:
            await mailbox.wait()
            self.take(mailbox)

    def take(self, mailbox: Mailbox) -> None:
        """Tell what has happened."""
        from kimera_tui.cli.json_output.events import news_of
        from kimera_tui.runs.masking import masked

        for event in mailbox.drain():
            kind, _, text = news_of(masked(event, self.book), self.book) or ("", "", "")
            if kind == "warning":
                self.warn(text)
            elif kind and kind not in _SILENT:
                narrate(f"{kind}: {text}")

    def warn(self, text: str) -> None:
        """Tell something that speaks against the task's success, whoever noticed it first."""
        if text not in self.warnings:
            self.warnings.append(text)
            narrate(f"warning: {text}")


async def _warn(parts: Parts, queue: str, task: str, teller: _Teller) -> None:
    """Say at once when nobody will take the task; an embedded worker may still be starting."""
    inspector = await parts.inspector()
    view = await inspector.look()
    while parts.embedded and not view.workers:
        await asyncio.sleep(0.3)
        view = await inspector.look()
    for finding in view.findings(queue, task):
        teller.warn(finding)


def _failed(error: KimeraError, call: _Asked, teller: _Teller) -> int:
    """Print an error without the call's secrets; returns its exit code."""
    from kimera_tui.cli.json_output.events import known_by_then
    from kimera_tui.runs.recovery import may_have_run

    if isinstance(error, TimeoutException):
        error.hint = known_by_then(teller.run, error.task_id)
    if call.as_json:
        _print_end(call, teller, _told(error, teller))
    else:
        show_traceback(error, teller.hide)
    complain(error, teller.hide)
    if teller.run is not None and teller.step is not None and may_have_run(teller.step):
        run_id = teller.run.run_id[:8]
        narrate(f"  kimera-tui replay {run_id} looks for it before it sends it again.")
    return error.exit_code


def _print_end(call: _Asked, teller: _Teller, end: dict[str, Any]) -> None:
    from kimera_tui.cli.json_output.events import facts_of
    from kimera_tui.cli.json_output.objects import SendEnd

    run = teller.run
    told = SendEnd(
        friend=call.friend,
        task=call.task,
        run=None if run is None else run.run_id,
        name=f"{call.friend}.{call.task}",
        warnings=teller.warnings,
        **facts_of(teller.step),
        **end,
    )
    data(told, as_json=True)


def _told(error: KimeraError, teller: _Teller) -> dict[str, Any]:
    """An error as data."""
    told = {"status": _status(error, teller.step), "error": teller.hide(str(error))}
    if error.hint:
        told["hint"] = teller.hide(error.hint)
    if isinstance(error, TaskFailed):
        told |= {
            "error_type": error.error_type,
            "error_message": teller.hide(error.error_message),
            "traceback": teller.hide(error.traceback),
        }
    return told


def _status(error: KimeraError, step: StepState | None) -> str:
    """How the wait ended: what was not sent, or maybe not, has not failed."""
    from kimera_tui.runs.status import Status

    if step is None or step.error_type == "NotSent" or step.status is Status.WAITING:
        return "not sent"
    if step.status is Status.UNCERTAIN:
        return "uncertain"
    return _STATUS.get(error.exit_code, "failed")
