"""A document as YAML that reads well in git; over an older text its comments and order stay."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping, MutableSequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from kimera_tui.errors import ConfigError
from kimera_tui.workflows.document import Document
from kimera_tui.workflows.plain import LISTS, SAYS_NOTHING, plain_document
from kimera_tui.workflows.reading import read_formed
from kimera_tui.workflows.yaml_reading import parse_yaml

WIDTH = 100
Known = dict[str, tuple[Any, Any]]
"""Nodes of the old text with their plain values, by the ids of their steps."""
_FLAT = ("kwargs", "retry", "when", "concurrency")
"""Mappings that stand on one line where they are short."""


def text_of(document: Document, old: str = "") -> str:
    """The text of a file that holds the document.

    Args:
        document: What is written.
        old: What the file held before; an empty string for a new file.
    """
    plain = plain_document(document)
    if old and (kept := _over(old, plain)) is not None and _says(kept, document):
        return kept
    return _dumped(_fresh(plain))


def _says(text: str, document: Document) -> bool:
    """Whether a text holds exactly the document."""
    try:
        return plain_document(read_formed(text, "")) == plain_document(document)
    except ConfigError:
        return False


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.allow_duplicate_keys = False
    return yaml


def _dumped(tree: Any) -> str:
    file = io.StringIO()
    _yaml().dump(tree, file)
    return file.getvalue()


def _over(old: str, plain: Mapping[str, Any]) -> str | None:
    """The old text with the new values put in; None where it can't be kept."""
    try:
        tree = _yaml().load(old)
        before = parse_yaml(old, "").data
    except (YAMLError, ConfigError, ValueError, RecursionError):
        return None
    if not isinstance(tree, CommentedMap) or not isinstance(before, dict):
        return None
    known: Known = {}
    _learn(tree, before, known)
    _merge(tree, before, plain, known)
    return _dumped(tree)


def _learn(tree: Any, before: Any, known: Known) -> None:
    """Note every step of the old text by its id: comments go where their steps go."""
    if isinstance(tree, CommentedSeq) and isinstance(before, list):
        for node, was in zip(tree, before, strict=False):
            _learn(node, was, known)
    elif isinstance(tree, CommentedMap) and isinstance(before, dict):
        if isinstance(before.get("id"), str):
            known[before["id"]] = (tree, before)
        for key in LISTS:
            _learn(tree.get(key), before.get(key), known)


def _merge(
    tree: MutableMapping[str, Any], before: Any, new: Mapping[str, Any], known: Known
) -> None:
    """Make a mapping of the tree say what the new one does, and leave alone what does."""
    for key in [each for each in tree if each not in new]:
        if not (key in before and _says_nothing(key, before[key])):
            del tree[key]
    for key, value in new.items():
        old = before.get(key) if isinstance(before, dict) else None
        if key in tree and old == value and type(old) is type(value):
            continue
        if isinstance(value, Mapping) and isinstance(tree.get(key), CommentedMap):
            _merge(tree[key], old, value, known)
        elif key in LISTS and isinstance(value, list) and isinstance(tree.get(key), CommentedSeq):
            _merge_steps(tree[key], value, known)
        else:
            _set(tree, key, _fresh(value, key), list(new))


def _says_nothing(key: str, value: Any) -> bool:
    """Whether somebody wrote down what holds anyway: it may stay."""
    return key in SAYS_NOTHING and bool(SAYS_NOTHING[key] == value)


def _set(tree: MutableMapping[str, Any], key: str, value: Any, order: list[str]) -> None:
    """Put a value in; a new key goes behind the one that it follows."""
    if key in tree or not isinstance(tree, CommentedMap):
        tree[key] = value
        return
    ahead = [each for each in order[: order.index(key)] if each in tree]
    position = list(tree).index(ahead[-1]) + 1 if ahead else 0
    tree.insert(position, key, value)


def _merge_steps(tree: MutableSequence[Any], new: list[Mapping[str, Any]], known: Known) -> None:
    nodes: list[Any] = []
    for step in new:
        if (found := known.pop(step["id"], None)) is None:
            nodes.append(_fresh(step))
            continue
        node, was = found
        _merge(node, was, step, known)
        nodes.append(node)
    if len(nodes) != len(tree) or any(
        one is not other for one, other in zip(nodes, tree, strict=True)
    ):
        tree[:] = nodes


def _fresh(value: Any, key: str = "") -> Any:
    """A value as a new part of a file: steps as blocks, what is short on one line."""
    if isinstance(value, Mapping):
        tree = CommentedMap({name: _fresh(child, name) for name, child in value.items()})
        if (key in _FLAT and _is_short(value)) or not value:
            tree.fa.set_flow_style()
        return tree
    if isinstance(value, list | tuple):
        items = CommentedSeq(_fresh(child) for child in value)
        if key not in LISTS and _is_short(value):
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return LiteralScalarString(value)
    return value


def _is_short(value: Any) -> bool:
    """Whether a value has nothing within what is in it, and fits a line."""
    children = list(value.values()) if isinstance(value, Mapping) else list(value)
    flat = not any(isinstance(child, Mapping | list | tuple) and child for child in children)
    return flat and len(str(value)) < WIDTH - 30 and "\\n" not in repr(value)
