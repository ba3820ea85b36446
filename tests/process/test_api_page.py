"""The API page names all that is public, with the arguments and attributes that it really has."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from kimera_tui import errors, process
from kimera_tui.process import TaskManager, TaskParams, events
from tests.conftest import REPO

PAGE = (REPO / "docs" / "api.md").read_text()
METHODS = [
    getattr(TaskManager, name)
    for name, member in vars(TaskManager).items()
    if not name.startswith("_") and isinstance(member, classmethod | type(lambda: None))
]
EVENTS = [
    kind
    for kind in vars(events).values()
    if inspect.isclass(kind) and kind.__module__ == events.__name__
]
ERRORS = [
    "KimeraError", "UsageError", "ConfigError", "UnknownFriend", "NotSerialisable",
    "CeleryDisabled", "BrokerUnavailable", "PublishUncertain", "TaskFailed", "TaskRevoked",
    "TimeoutException", "ResultUnknown",
]  # fmt: skip


def call(function: Callable[..., Any]) -> str:
    """A function's name, arguments and defaults, as the page writes them."""
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=inspect.Parameter.empty)
        for name, each in signature.parameters.items()
        if name != "self"
    ]
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    text = re.sub(r"<function (\w+) at \w+>", r"\1", str(bare)).replace("'", '"')
    return f"{function.__name__}{text}"


def row_of(name: str, attributes: str = "") -> str:
    """The row of a table whose first cell has the name."""
    rows = re.findall(rf"^\| [^|]*`{name}`[^|]*{attributes}.*$", PAGE, re.MULTILINE)
    assert len(rows) == 1, f"{name} has {len(rows)} rows"
    return str(rows[0])


@pytest.mark.parametrize("name", process.__all__)
def test_every_public_name_is_on_the_page(name: str) -> None:
    assert f"`{name}" in PAGE


@pytest.mark.parametrize("method", [*METHODS, TaskParams], ids=lambda each: str(each.__name__))
def test_every_call_is_on_the_page_with_its_arguments(method: Callable[..., Any]) -> None:
    assert f"{call(method)}`" in PAGE


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: str(kind.__name__))
def test_every_event_is_on_the_page_with_its_attributes(kind: Any) -> None:
    if kind in (events.Event, events.TaskEvent):
        assert f"`{kind.__name__}`" in PAGE
        return
    attributes = {each.name for each in dataclasses.fields(kind)} - {"at", "task_id"}
    assert attributes <= set(re.findall(r"`(\w+)`", row_of(kind.__name__)))


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_on_the_page_with_its_base_and_exit_code(name: str) -> None:
    kind = getattr(errors, name)
    assert row_of(name, rf"\| `{kind.__bases__[0].__name__}` \| {kind.exit_code} \|")
