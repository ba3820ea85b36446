"""What the seed's ``sysPrint`` writes to the log: enough to know a value, and no secret."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kimera_tui.process.helpers import Helpers

CANARY = "canary-5e4715e1"


def logged(caplog: pytest.LogCaptureFixture, *values: object) -> str:
    with caplog.at_level(logging.INFO, "kimera"):
        Helpers.sysPrint(*values)
    return caplog.messages[-1]


def test_values_are_written_beside_each_other(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, "step 1 returned", {"a": [1, None]}) == "step 1 returned {'a': [1, None]}"


def test_a_value_nested_too_deep_to_be_walked_is_written_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    value: Any = CANARY
    for _ in range(5_000):
        value = {"deep": [value]}
    assert "…" in logged(caplog, "returned", value)


def test_of_a_huge_value_a_glimpse_is_written(caplog: pytest.LogCaptureFixture) -> None:
    assert len(logged(caplog, ["x" * 1_000_000] * 1_000)) < 500_000


@pytest.mark.parametrize("padding", [0, 1_950, 1_990, 2_000, 50_000])
def test_no_part_of_a_secret_is_written_wherever_the_text_is_cut(
    caplog: pytest.LogCaptureFixture, padding: int
) -> None:
    text = "x" * padding + f" redis://u:{CANARY}{CANARY}@h"
    assert CANARY not in logged(caplog, {"said": text, "token": CANARY})


def test_keys_may_be_what_json_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, {(1, 2): 3, None: 4}) == "{(1, 2): 3, None: 4}"
