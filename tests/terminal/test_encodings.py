"""Commands whose output goes where not every character can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

FRIENDS = """
friends:
  café: {route: r, queue: q, description: "Tüten → ☕"}
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_an_output_cannot_hold_is_escaped(
    tmp_path: Path, encoding: str, more: list[str]
) -> None:
    (tmp_path / "friends.yaml").write_text(FRIENDS, encoding="utf-8")
    environ = {
        **os.environ,
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
        "KIMERA_FRIENDS": str(tmp_path / "friends.yaml"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "kimera_tui", "friends", *more],
        capture_output=True, cwd=REPO, env=environ, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert b"caf" in done.stdout
