"""Reading a YAML file that a person wrote: every mistake gets its line, nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kimera_tui.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 40

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML document and where each of its keys stands."""

    data: Any
    lines: dict[Key, int] = field(default_factory=dict)
    """Line numbers, from 1, by path of keys and indexes."""

    def line_of(self, path: Key) -> int:
        """The line of the nearest key on the path."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def is_missing(path: Path) -> bool:
    """Whether nothing is there; what may not be looked for isn't missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def read_yaml(path: Path) -> Source:
    """Read one document.

    Raises:
        ConfigError: the file can't be read, or isn't one plain YAML document; the message names
            file and line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: file is {len(raw)} bytes; the most is {MAX_BYTES}.")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}.") from error
    try:
        _check_events(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Key, int] = {}
        if node is not None:
            _index(path, node, (), lines)
        return Source(yaml.safe_load(text), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise ConfigError(f"{path}{line}: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: control characters are not allowed.") from error
    # A scalar such as 2026-13-01 that YAML takes for a date, or a number beyond all numbers.
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{path}: {error}; quote the value.") from error


def _check_events(path: Path, text: str) -> None:
    """Refuse what could blow up, in memory or otherwise, before anything is built from it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{path}, line {line}: alias *{event.anchor} is not allowed.")
        if tag := getattr(event, "tag", None):
            said = tag.replace("tag:yaml.org,2002:", "!!")
            raise ConfigError(
                f"{path}, line {line}: tag {said} is not allowed; quote a value that must be text."
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{path}, line {line}: nested deeper than {MAX_DEPTH}.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ConfigError(f"{path}, line {line}: more than one YAML document.")


def _index(path: Path, node: yaml.Node, key: Key, lines: dict[Key, int]) -> None:
    """Note the line of every key below a node; refuse keys that stand twice or aren't text."""
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            _index(path, child, (*key, position), lines)
    elif isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            line = name.start_mark.line + 1
            if name.tag != "tag:yaml.org,2002:str":  # `no`, which YAML takes for False, or 012
                written = name.value if isinstance(name, yaml.ScalarNode) else "a list or mapping"
                dotted = ".".join(str(part) for part in (*key, written))
                raise ConfigError(f"{path}, line {line}: {dotted}: a key must be text; quote it.")
            below = (*key, str(name.value))
            if below in lines:
                raise ConfigError(
                    f"{path}, line {line}: key '{name.value}' is given twice,"
                    f" first on line {lines[below]}."
                )
            lines[below] = line
            _index(path, child, below, lines)
