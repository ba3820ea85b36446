"""A friends.yaml with hundreds and thousands of tasks: to read it, and to list it as a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, spread
from kimera_tui.config.friends import load_friends

TIMES = 5
TASKS = 30
"""Tasks of a friend."""


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """A row for each size of the file."""
    return [_row(place.folder / f"{friends}.yaml", friends) for friends in (20, int(200 * scale))]


def _row(path: Path, friends: int) -> dict[str, Any]:
    path.write_text(friends_of(friends))
    command = [sys.executable, "-m", "kimera_tui", "friends", "--json"]
    environ = {**os.environ, "KIMERA_FRIENDS": str(path), "KIMERA_HOME": str(path.parent / "home")}

    def listed() -> None:
        subprocess.run(command, env=environ, check=True, capture_output=True)

    return {
        "friends": friends,
        "tasks": friends * TASKS,
        "KB": path.stat().st_size // 1000,
        "load p50 ms": _median(lambda: load_friends(path)),
        "friends --json p50 ms": _median(listed),
    }


def friends_of(count: int) -> str:
    """A file of so many friends."""
    lines = ["friends:"]
    for friend in range(count):
        lines += [f"  friend_{friend}:", "    route: service.tasks", f"    queue: queue_{friend}"]
        lines.append("    tasks:")
        for task in range(TASKS):
            lines += [f"      task_{task}:", "        doc: One thing that it does"]
            lines += ["        params:", "          day: {type: date, required: true}"]
            lines.append("          count: {type: int, default: 3, min: 1, max: 9}")
    return "\n".join([*lines, ""])


def _median(act: Callable[[], object]) -> float:
    samples = []
    for _ in range(TIMES):
        began = time.perf_counter()
        act()
        samples.append(time.perf_counter() - began)
    return spread(samples, 1e3)["p50"]
