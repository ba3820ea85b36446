"""``kimera-tui send``: send one task and wait for its result."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.output import complain, data, narrate, perform, show_traceback
from kimera_tui.cli.secret_sources import SECRET, Sources, call_secrets
from kimera_tui.errors import KimeraError, TaskFailed, TimeoutException, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kimera_tui.config.friends import Param
    from kimera_tui.console.console import Console
    from kimera_tui.process import TaskParams
    from kimera_tui.process.loop.bus import Mailbox
    from kimera_tui.runs.index import RunState
    from kimera_tui.runs.step import StepState

_SILENT = {"polled", "run", "forgotten", "released", "callback", "broker", "failed", "succeeded"}
_STATUS = {3: "timed out", 4: "revoked", 5: "ended, result unknown"}


@dataclass(frozen=True, slots=True)
class _Options:
    """The words of the command line."""

    friend: str
    task: str
    args: str
    kwargs: str
    secrets: tuple[str, ...]
    timeout: str
    as_json: bool
    unchecked: bool
    yes: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """The call, checked."""

    params: TaskParams
    secrets: Collection[str]
    """Names of arguments that are secrets passed apart."""
    queue: str
    full_name: str


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
def send(**words: Any) -> None:
    """Send TASK to FRIEND, wait, and print its result.

    Exit codes: 0 done, 1 the task failed, 2 usage, 3 timed out, 4 revoked, 5 ended with a result
    that is unknown, 69 broker unreachable, 130 interrupted.
    """
    perform(_send(_Options(**words)), sends=True)


async def _send(options: _Options) -> int:
    from kimera_tui.console.console import build_console

    watcher = _Watcher()
    async with build_console(say=narrate) as console:
        try:
            result = await _result(options, console, watcher)
        except KimeraError as error:
            return _failed(error, options, watcher)
        except asyncio.CancelledError:
            if options.as_json:
                _print_end(options, watcher, {"status": "interrupted"})
            raise
        if options.as_json:
            _print_end(options, watcher, {"status": "done", "result": result})
        else:
            data(result, as_json=False)
        return 0


async def _result(options: _Options, console: Console, watcher: _Watcher) -> Any:
    """The task's result without the secrets of the call, which the watcher learns first."""
    from kimera_tui.documents.calls import single
    from kimera_tui.runs.masking import hidden_result

    call = _call_of(options, console)
    with console.bus.subscribe() as mailbox:
        watching = asyncio.create_task(watcher.watch(mailbox))
        await console.start()
        warning = asyncio.create_task(_warn(console, call, watcher))
        try:
            run_id = await console.runs.start(single(call.params, call.secrets))
            result = await (await console.connection.runner()).result(run_id)
        finally:
            for background in (warning, watching):
                background.cancel()
            await asyncio.gather(warning, watching, return_exceptions=True)
            watcher.take(mailbox)
    return result if watcher.run is None else hidden_result(result, watcher.run.secrets)


def _call_of(options: _Options, console: Console) -> _Call:
    from kimera_tui.config.friends import TaskInfo, find_friend
    from kimera_tui.documents import fields
    from kimera_tui.process import TaskParams

    console.need_friends()
    friend = find_friend(console.friends, options.friend)
    if friend.danger and not options.yes:
        raise UsageError(
            f"Friend `{options.friend}` is marked as dangerous: nothing was sent.",
            hint="Pass --yes to send anyway.",
        )
    sources = Sources()
    declared = friend.tasks.get(options.task, TaskInfo()).params
    args = fields.parse_args(sources.text("--args", options.args))
    kwargs = fields.parse_kwargs(sources.text("--kwargs", options.kwargs))
    _warn_of_visible(options, declared, kwargs)
    known = {} if options.unchecked else declared
    secrets = call_secrets(known, args, kwargs, sources.secrets(options.secrets))
    params = TaskParams(
        friend=options.friend,
        task_name=fields.check_task_name(options.task),
        args=args,
        kwargs={**kwargs, **secrets},
        timeout=fields.parse_timeout(options.timeout) if options.timeout else friend.timeout,
    )
    if not options.unchecked:
        fields.check_call(declared, params.args, params.kwargs)
    return _Call(params, secrets.keys(), friend.queue, f"{friend.route}.{options.task}")


def _warn_of_visible(
    options: _Options, declared: Mapping[str, Param], kwargs: Mapping[str, Any]
) -> None:
    """Warn about secrets on the command line."""
    if options.kwargs == "-" or options.kwargs.startswith("@"):
        return
    for name in kwargs:
        if name in declared and declared[name].secret:
            narrate(
                f"warning: other users can read {name} in the list of processes;"
                f" --secret {name}=env:NAME or --kwargs - hides it"
            )


class _Watcher:
    """Prints what happens to the task, each thing once."""

    def __init__(self) -> None:
        from kimera_tui.runs.index import RunIndex

        self.index = RunIndex()
        self.warnings: list[str] = []
        """What speaks against the task's success."""

    @property
    def run(self) -> RunState | None:
        """The run of the call, once it has started."""
        return next(iter(self.index.runs.values()), None)

    @property
    def step(self) -> StepState | None:
        """Its only step."""
        return None if self.run is None else next(iter(self.run.steps.values()))

    def hide(self, text: str) -> str:
        """The text without the secrets of the call."""
        return text if self.run is None else self.run.secrets.text(text)

    async def watch(self, mailbox: Mailbox) -> None:
        """Print what happens until cancelled."""
        while True:
            await mailbox.wait()
            self.take(mailbox)

    def take(self, mailbox: Mailbox) -> None:
        """Print what has happened."""
        from kimera_tui.cli.json_output.events import news_of

        for event in mailbox.drain():
            kind, _, text = news_of(event, self.index)[1] or ("", "", "")
            if kind == "warning":
                self.warn(text)
            elif kind and kind not in _SILENT:
                narrate(f"{kind}: {text}")

    def warn(self, text: str) -> None:
        """Print a warning, unless another source did."""
        if text not in self.warnings:
            self.warnings.append(text)
            narrate(f"warning: {text}")


async def _warn(console: Console, call: _Call, watcher: _Watcher) -> None:
    """Warn at once if no worker will take the task; an embedded one may still be starting."""
    monitor = await console.connection.monitor()
    view = await monitor.fresh_view()
    while console.connection.embedded and not view.workers:
        await asyncio.sleep(0.3)
        view = await monitor.fresh_view()
    for finding in view.findings(call.queue, call.full_name):
        watcher.warn(finding)


def _failed(error: KimeraError, options: _Options, watcher: _Watcher) -> int:
    """Print an error without the secrets of the call; returns its exit code."""
    from kimera_tui.cli.json_output.events import known_by_then
    from kimera_tui.runs.recovery import may_have_run

    if isinstance(error, TimeoutException):
        error.hint = known_by_then(watcher.run, error.task_id)
    if options.as_json:
        _print_end(options, watcher, _fields_of(error, watcher))
    else:
        show_traceback(error, watcher.hide)
    complain(error, watcher.hide)
    if watcher.run is not None and watcher.step is not None and may_have_run(watcher.step):
        run_id = watcher.run.run_id[:8]
        narrate(f"  kimera-tui replay {run_id} looks for it before it sends it again.")
    return error.exit_code


def _print_end(options: _Options, watcher: _Watcher, end: dict[str, Any]) -> None:
    from kimera_tui.cli.json_output.events import facts_of, spawned_by
    from kimera_tui.cli.json_output.objects import SendEnd

    run = watcher.run
    document = SendEnd(
        friend=options.friend,
        task=options.task,
        run=None if run is None else run.run_id,
        name=f"{options.friend}.{options.task}",
        warnings=watcher.warnings,
        **facts_of(watcher.step),
        **spawned_by(watcher.step),
        **end,
    )
    data(document, as_json=True)


def _fields_of(error: KimeraError, watcher: _Watcher) -> dict[str, Any]:
    fields = {"status": _status(error, watcher.step), "error": watcher.hide(str(error))}
    if error.hint:
        fields["hint"] = watcher.hide(error.hint)
    if isinstance(error, TaskFailed):
        fields |= {
            "error_type": error.error_type,
            "error_message": watcher.hide(error.error_message),
            "traceback": watcher.hide(error.traceback),
        }
    return fields


def _status(error: KimeraError, step: StepState | None) -> str:
    """How the wait ended; what was not sent, or perhaps not, has not failed."""
    from kimera_tui.runs.status import Status

    if step is None or step.error_type == "NotSent" or step.status is Status.WAITING:
        return "not sent"
    if step.status is Status.UNCERTAIN:
        return "uncertain"
    return _STATUS.get(error.exit_code, "failed")
