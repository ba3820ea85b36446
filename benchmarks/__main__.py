"""``python -m benchmarks [--quick] [NAME ...]``: run them, print tables, write JSON."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import (
    chain,
    compose,
    dispatch,
    friends,
    growth,
    journal,
    live,
    memory,
    notice,
    para,
    release,
)
from benchmarks.ground import ground

ALL = {
    "memory": memory,  # first: later a heap that has grown hides what a task takes
    "dispatch": dispatch,
    "notice": notice,
    "para": para,
    "live": live,
    "compose": compose,
    "friends": friends,
    "journal": journal,
    "chain": chain,
    "release": release,
}
ON_DEMAND = {"growth": growth}
KNOWN: dict[str, Any] = {**ALL, **ON_DEMAND}
OUT = Path(__file__).parent / "out"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the tasks")
    parser.add_argument("names", nargs="*", choices=[[], *ALL, *ON_DEMAND], default=[])
    options = parser.parse_args()
    scale = 0.2 if options.quick else 1.0
    found: dict[str, Any] = {"machine": _machine()}
    print(" · ".join(f"{name} {value}" for name, value in found["machine"].items()))
    for name in options.names or ALL:
        with ground() as place:
            found[name] = KNOWN[name].run(place, scale)
        print(f"\n{name}: {KNOWN[name].__doc__.strip()}")
        print(table(found[name]), flush=True)
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False))
    print(f"\nwritten to {path}")


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    return "\n".join(
        [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
    )


def _machine() -> dict[str, str]:
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "cpus": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("celery", "kombu", "redis", "hiredis")},
    }


if __name__ == "__main__":
    main()
