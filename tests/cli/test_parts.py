"""The parts behind screen and commands: begun once, and never in the loop's way."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from kimera_tui.cli.runs import read_run
from kimera_tui.execution.cancel import _told
from kimera_tui.execution.replay import Wish
from kimera_tui.runs.index import RunBook
from tests.cli.test_guarded import MENDED_BY_GLASS, left
from tests.cli.test_truth import console


async def test_what_was_begun_is_not_begun_again(
    broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(broker_url, tmp_path, monkeypatch) as parts:
        before = (parts._runner, parts._lookout, parts._asking, list(parts.journal._background))
        await parts.start()
        assert before == (
            parts._runner, parts._lookout, parts._asking, parts.journal._background,
        )  # fmt: skip


async def test_whole_runs_are_folded_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding: list[threading.Thread] = []
    apply_all = RunBook.apply_all

    def noted(book: RunBook, events: Iterable[object]) -> set[str]:
        folding.append(threading.current_thread())
        return apply_all(book, events)

    async with left(tmp_path, monkeypatch, MENDED_BY_GLASS) as parts:
        monkeypatch.setattr(RunBook, "apply_all", noted)
        await parts.replay_plan("r", Wish())
        assert await parts.workflows.last_run("run r") is not None
        await read_run(parts, "r")
        await _told(parts.journal, "r")
    assert len(folding) >= 4
    assert threading.main_thread() not in folding
