"""Small file systems that a test may fill or make read-only."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Make one; skips the test where that may not be done."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k,mode=700", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a file system here: run as root to run this test")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> None:
    """Leave no room on a disk."""
    descriptor = os.open(place / "filling", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, b"\0" * 4096)
    os.close(descriptor)


def make_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
