"""Outside text never reaches a terminal as anything but text."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from kimera_tui.safetext import compact, pretty, safe

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=300)
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def acts(character: str, *, lines: bool = False) -> bool:
    """Whether a terminal might act on the character, or can't be given it."""
    if lines and character == "\n":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in BIDI


@given(ANY_TEXT)
@example("\x1b]52;c;AAAA\x07")
@example("\x9b31m\x9d\x90\x7f\r\n\t")
@example("\ud800")
@example("\u202egpj.exe\u2066")
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    shown = safe(text)
    assert not any(acts(character) for character in shown)
    shown.encode()


@given(ANY_TEXT)
def test_lines_stay_lines_and_nothing_else(text: str) -> None:
    shown = safe(text, lines=True)
    assert not any(acts(character, lines=True) for character in shown)
    assert shown.count("\n") == text.count("\n")


@given(st.text("abc äöü漢字 [/x]{}", max_size=200))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_what_is_hidden_is_visible() -> None:
    assert safe("\x1b[2J") == "␛[2J"
    assert safe("a\u202eb") == "a\\u202eb"
    assert safe("\x7f\x9b") == "␡\\x9b"
    assert safe("👩\u200d🚀") == "👩\u200d🚀"


def test_a_megabyte_is_cut_and_the_rest_counted() -> None:
    shown = safe("x" * 1_000_000)
    assert len(shown) < 4200
    assert shown.endswith("… 995,904 more characters")


@given(st.recursive(st.none() | st.booleans() | st.floats() | ANY_TEXT, st.lists))
def test_every_value_is_shown_on_one_line_and_on_several(value: object) -> None:
    assert "\n" not in compact(value)
    for line in pretty(value):
        assert not any(acts(character) for character in line)


def test_what_is_not_json_is_shown_too() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert compact(loop) == "[[...]]"
    assert "object" in compact({"a": object()})
    assert compact({(1, 2): 3}) == "{(1, 2): 3}"


def test_what_is_nested_too_deep_to_be_written_is_said_to_be() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert compact(deep) == "nested too deep"
    assert pretty(deep) == ["nested too deep"]
