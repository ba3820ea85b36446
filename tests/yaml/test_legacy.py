"""What YAML 1.1 reads otherwise: each value with its line, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_tui.errors import ConfigError
from kimera_tui.yaml.legacy import reread_in
from kimera_tui.yaml.reading import parse_yaml


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", "`no` is text, not false"),
        ("On", "`On` is text, not true"),
        ("12:30", "now text, not a number"),
        ("017", "now text, not a number"),
        ("1_000", "now text, not a number"),
        ("0b11", "now text, not a number"),
        ("190:20:30.15", "now text, not a number"),
        ("0o17", "now a number, not text"),
        ("1e3", "now a number, not text"),
        ("2026-01-31T12:30:00Z", "now text, not a time"),
    ],
)
def test_a_value_that_is_read_otherwise_is_reported_with_its_line(text: str, words: str) -> None:
    [found] = reread_in(f"a:\n  - {text}\n")
    assert found.sentence == f"line 2: {words}"


@pytest.mark.parametrize(
    "text",
    ["a", "true", "~", "'no'", '"12:30"', "7", "0x1F", "1.5", ".5", "2026-01-31", "=", "|\n  no\n",
     "turn it on", "2026-13-45", ""],
)  # fmt: skip
def test_a_value_that_is_read_as_ever_is_not_reported(text: str) -> None:
    assert list(reread_in(f"a: {text}\n")) == []


@settings(deadline=None)
@given(st.text(alphabet="aeonyY01789:-_.+ []{},x\n"))
def test_whatever_is_read_is_compared(text: str) -> None:
    try:
        parse_yaml(text, "f")
    except ConfigError:
        return
    assert all(found.old != found.new for found in reread_in(text))
