"""``python -m kimera_tui`` and the ``kimera-tui`` command."""

from __future__ import annotations

import io
import sys

from kimera_tui.cli.program.shutdown import way_out


def main() -> None:
    """Run the command line; from here on signals end it in order."""
    way_out.heed_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding cannot say is escaped
            stream.reconfigure(errors="backslashreplace")
    from kimera_tui.cli.main import main as program

    program()


if __name__ == "__main__":
    main()
