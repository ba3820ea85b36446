"""The ``kimera-tui`` command; without a subcommand it opens the console."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

import click

from kimera_tui.cli.output import INTERRUPTED, fail, narrate
from kimera_tui.cli.program.logs import log_to_file
from kimera_tui.cli.program.shutdown import end_as_program, way_out
from kimera_tui.errors import ConfigError

COMMANDS = (
    "cancel", "compare", "demo", "friends", "replay", "resume", "run", "runs", "send", "trust",
    "watch", "workflow",
)  # fmt: skip
"""Names of the commands, of their modules in this package, and of the functions in those."""


class _Program(click.Group):
    """Commands, each imported when it is used: together they take a third of a second.

    When called without arguments, they are the whole process.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"kimera_tui.cli.{name}")
        return cast("click.Command", getattr(module, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return super().__call__(*args, **kwargs)
        way_out.heed_signals()
        return end_as_program(self._exit_code)

    def _exit_code(self) -> int:
        try:
            return cast("int | None", self.main(standalone_mode=False)) or 0
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.Abort:
            click.echo("Aborted!", err=True)
            return way_out.signalled or INTERRUPTED


@click.group(
    cls=_Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="kimera-tui")
@click.option("--read-only", is_flag=True, help="Only look: send, revoke and cancel nothing.")
@click.pass_context
def main(context: click.Context, read_only: bool) -> None:
    """Operate Celery from the terminal.

    With no command the console opens. BROKER_URL and RESULT_BACKEND name your broker; without
    them Kimera starts a private one with demo friends.
    """
    from kimera_tui.config.env_file import ENV_FILE, load_settings

    if read_only and context.invoked_subcommand is not None:
        raise click.UsageError("--read-only applies to the console only.")
    try:
        ignored = load_settings()
    except ConfigError as error:
        fail(error)
    for name in ignored:
        narrate(f"{ENV_FILE}: {name} is ignored: set it in the environment instead.")
    log_to_file()
    if context.invoked_subcommand is None:
        from kimera_tui.cli.open_console import open_console

        open_console(read_only=read_only)
