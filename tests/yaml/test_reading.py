"""YAML as workflow files use it: what is read, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.errors import ConfigError
from kimera_tui.yaml import reading
from kimera_tui.yaml.reading import Malformed, is_text, parse_yaml, read_text
from tests.documents.cases import CAPS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("+", "+"),
        ("-", [None]),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'7'", "7"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("{a: [1, {b: }]}", {"a": [1, {"b": None}]}),
        ("{yes: 1, '<<': 2}", {"yes": 1, "<<": 2}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse_yaml(text, "f").data
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("a: 1\nb: *x", 2, "alias *x is not allowed."),
        ("a: &x 1", 1, "anchor &x is not allowed."),
        ("a:\n  - &x [1]", 2, "anchor &x is not allowed."),
        ("a: !!int 1", 1, "tag !!int is not allowed; quote a value that must be text."),
        (
            "a: !!python/object:os.system x",
            1,
            "tag !!python/object:os.system is not",
        ),
        ("a: ! x", 1, "tag ! is not allowed; quote a value"),
        ("a: 1\n<<: {b: 1}", 2, "merge key << is not allowed."),
        ("a: 1\nb: 2\na: 3", 3, "key `a` is given twice, first on line 1."),
        ("x: {a: 1, a: 2}", 1, "key `a` is given twice, first on line 1."),
        ("x:\n  a: 1\n  b: 2\n  a: 1", 4, "key `a` is given twice, first on line 2."),
        ("1: a", 1, "key `1` must be text; quote it."),
        ("true: a", 1, "key `true` must be text; quote it."),
        ("~: a", 1, "key `~` must be text; quote it."),
        ("? [a]\n: b", 1, "a key must be text, not a list or a mapping."),
        ("? {a: b}\n: b", 1, "a key must be text, not a list or a mapping."),
        ("a: .nan", 1, ".nan cannot be sent."),
        ("a: -.inf", 1, "-.inf cannot be sent."),
        ("a: 1e999", 1, "number too large."),
        ("a: " + "9" * 301, 1, "number too large."),
        ("a\n---\nb", 2, "more than one YAML document."),
        ("a: [1,", 2, "did not find expected node content."),
        ("a: 'x", 1, "found unexpected end of stream."),
        ("a:\n\tb: 1", 2, "found character that cannot start any token."),
        ("a: 1\nb: \x07", 2, "control characters are not allowed."),
        ("a: 1\n\0", 2, "control characters are not allowed."),
        ('a: "\\ud800"', 1, "found invalid Unicode character escape code."),
        ("a: \ud800", 1, "control characters are not allowed."),
        ("%FOO\n---\na", 1, "found unknown directive name."),
    ],
)
def test_what_could_do_harm_or_be_misread_is_refused_with_its_line(
    text: str, line: int, sentence: str
) -> None:
    with pytest.raises(Malformed) as caught:
        parse_yaml(text, "f")
    assert caught.value.line == line
    assert caught.value.sentence.startswith(sentence)
    assert str(caught.value) == f"f, line {line}: {caught.value.sentence}"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("an alias bomb", "anchor &a is not allowed"),
        ("50,000 nested brackets", "nested deeper than 200"),
        ("1 MiB of dashes", "nested deeper than 200"),
        ("a value over 256 KiB", "a value of 262145 characters; the most is 262144"),
        ("50,001 values", "more than 50000 values"),
        ("depth 10,000", "nested deeper than 200"),
    ],
)
def test_every_cap_is_reported(name: str, sentence: str) -> None:
    with pytest.raises(Malformed, match=sentence):
        parse_yaml(CAPS[name](), "f")


def test_a_text_over_a_mebibyte_is_refused_before_it_is_read() -> None:
    with pytest.raises(ConfigError, match="1048577 characters; the most is 1048576"):
        parse_yaml("#" * ((1 << 20) + 1), "f")


def test_every_place_has_its_line() -> None:
    text = "a: 1\nb:\n  - {c: 2, d:\n      3}\n  -\n    e: |\n      x\n      y\n    f:\n      - g\n"
    source = parse_yaml(text, "f")
    lines = {
        ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 0, "c"): 3, ("b", 0, "d"): 3, ("b", 1): 6,
        ("b", 1, "e"): 6, ("b", 1, "f"): 9, ("b", 1, "f", 0): 10, ("nothing",): 1,
        ("b", 1, "nothing", 7): 6,
    }  # fmt: skip
    assert {path: source.line_of(path) for path in lines} == lines


def test_the_slow_reader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, no, {b: 0x10}]\nc: |\n  d\n"
    fast = parse_yaml(text, "f")
    monkeypatch.setattr(reading, "LOADER", yaml.SafeLoader)
    slow = parse_yaml(text, "f")
    assert (slow.data, slow.lines) == (fast.data, fast.lines)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["C", "Z"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_json_is_read_as_json(value: Any) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False), "f").data == value


@given(st.text())
def test_a_plain_text_is_a_text_or_something_else(text: str) -> None:
    assert is_text(text) in (True, False)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"kimera: 1\n# \xff", "line 2: not UTF-8 at byte 12"),
        (b"#" * ((1 << 20) + 1), "larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, raw: bytes, sentence: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=sentence):
        read_text(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: cannot be read"):
        read_text(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_text(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfkimera: 1\n")
    assert read_text(path) == "kimera: 1\n"
