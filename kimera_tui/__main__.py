"""``python -m kimera_tui``: the same as the ``kimera-tui`` command."""

from __future__ import annotations

from kimera_tui.cli.main import main

if __name__ == "__main__":
    main()
