"""Long lines as several that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kimera_tui.ui.widgets import wrapping
from kimera_tui.ui.widgets.wrapping import at_words

TEXTS = st.text(st.sampled_from("ab  汉é\u0301"), max_size=200)


@given(TEXTS, st.integers(14, 40))
def test_every_part_fits_and_nothing_but_blanks_is_left_out(text: str, width: int) -> None:
    parts = at_words([("key ", "key"), (text.lstrip(" "), "")], width)
    assert all(sum(cell_len(span) for span, _ in part) <= width for part in parts)
    assert _bare("".join(span for part in parts for span, _ in part)) == _bare(f"key {text}")


def _bare(text: str) -> str:
    return text.replace(" ", "")


def test_a_line_is_broken_between_words() -> None:
    parts = at_words([("   the quick brown fox", "")], 15)
    assert [part[0][0] for part in parts] == ["   the quick", "   brown fox"]


def test_of_a_huge_text_only_what_comes_into_a_row_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []

    def counted(text: str) -> int:
        measured.append(len(text))
        return cell_len(text)

    text = "word " * 20_000
    monkeypatch.setattr(wrapping, "cell_len", counted)
    rows = at_words([(text, "")], 50)
    assert len(rows) > 1000
    assert sum(measured) < 5 * len(text)
