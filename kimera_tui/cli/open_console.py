"""Opens the console."""

from __future__ import annotations

import sys

from kimera_tui.cli.output import fail
from kimera_tui.cli.program.shutdown import way_out
from kimera_tui.errors import UsageError


def open_console(*, read_only: bool) -> None:
    """Run the console until the operator leaves it."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        fail(
            UsageError(
                "No terminal here: the console needs one.",
                hint="Without a screen: kimera-tui send FRIEND TASK --json",
            )
        )
    from kimera_tui.cli.program.event_loop import run
    from kimera_tui.console.console import build_console
    from kimera_tui.ui.app import KimeraApp

    # The screen shows notices about the journal itself.
    console = build_console(read_only=read_only, asks=True, say=lambda text: None)
    app = KimeraApp(console, way_out.begin)
    run(app.run_async(), lambda: app.exit(return_code=way_out.signalled), app.mend_terminal)
    sys.exit(app.return_code or 0)
