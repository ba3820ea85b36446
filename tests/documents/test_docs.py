"""The page that teaches the format says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kimera_tui.config.friends import load_friends
from kimera_tui.documents.document import (
    ChainStep,
    Concurrency,
    Defaults,
    Document,
    Input,
    ParaStep,
    Retry,
    TaskStep,
)
from kimera_tui.documents.parse import read_document
from kimera_tui.documents.references import ROOTS
from kimera_tui.documents.template_filters import FILTERS
from tests.conftest import REPO

PAGE = (REPO / "docs" / "workflows.md").read_text()
FRIENDS = load_friends(Path(REPO / "friends.yaml"))
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def whole(block: str) -> str:
    """A block as a document of its own: what it leaves out is put around it."""
    text = block
    if "steps:" not in text:
        head = "" if not text.startswith(" ") else "steps:\n"
        body, _, last = text.partition("finally:")
        text = f"{head}{body}" + (f"finally:{last}" if last else "")
    if "kimera:" not in text:
        text = f"kimera: 1\nname: from the page\n{text}"
    return text


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().split("\n")[0])
def test_every_block_of_the_page_is_right(block: str) -> None:
    found = read_document(whole(block), "block", None)
    assert found.document is not None, found.problems
    assert found.problems == []


def test_every_key_filter_and_root_is_on_the_page() -> None:
    keys = {
        field.alias or name
        for model in (Document, TaskStep, ChainStep, ParaStep, Retry, Defaults, Concurrency, Input)
        for name, field in model.model_fields.items()
    }
    missing = [word for word in {*keys, *FILTERS, *ROOTS} if f"`{word}" not in PAGE]
    shown = [word for word in missing if not re.search(rf"\b{word}\b", PAGE)]
    assert shown == []
