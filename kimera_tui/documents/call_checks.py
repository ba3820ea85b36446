"""Check a step's arguments against the parameters that its friend declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.depth import every
from kimera_tui.documents.addresses import Address
from kimera_tui.documents.data_flow import fed_by, takes_result
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.fields import check_call, kwargs_only
from kimera_tui.errors import UsageError
from kimera_tui.yaml.reading import Key


def call_problems(
    document: Document, address: Address, step: TaskStep, friend: Friend, task: str
) -> Iterator[tuple[Key, str]]:
    """The arguments that do not fit, each with its path below the step.

    Templates, and arguments that the upstream result may provide, are not checked.

    Args:
        document: The whole document, to find the upstream step.
        address: The step's address.
        step: The step.
        friend: The friend it calls.
        task: The task's name.
    """
    info = friend.tasks.get(task)
    if info is None:
        return
    positional = dict(zip(info.params, step.args, strict=False))
    for position, name in enumerate(positional):
        if info.params[name].secret:
            yield ("args", position), kwargs_only(name)
    may_be_fed = takes_result(step) and fed_by(document, address) is not None
    for name, param in info.params.items():
        if name not in step.kwargs and name not in positional:
            if param.required and not may_be_fed:
                yield ("kwargs",), f"{name} is required by {task}."
            continue
        value = step.kwargs.get(name, positional.get(name))
        if _holds_template(value):
            continue
        try:
            check_call({name: param}, (), {name: value})
        except UsageError as error:
            path: Key = ("kwargs", name) if name in step.kwargs else ("args",)
            yield path, error.message


def _holds_template(value: Any) -> bool:
    return any(isinstance(each, str) and "${{" in each for each in every(value))
