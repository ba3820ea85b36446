"""``python -m kimera_tui`` and the ``kimera-tui`` command."""

from __future__ import annotations

from kimera_tui.cli.program.shutdown import way_out


def main() -> None:
    """Run the command line; from here on signals end it in order."""
    way_out.heed_signals()
    from kimera_tui.cli.main import main as program

    program()


if __name__ == "__main__":
    main()
