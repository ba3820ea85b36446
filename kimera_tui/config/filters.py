"""Saved filters: search lines by their names, in a small file that the console writes too."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from kimera_tui.config.friends import near
from kimera_tui.config.paths import config_dir, private_dir
from kimera_tui.config.yaml_source import Key, Source, read_yaml
from kimera_tui.errors import ConfigError, UsageError

LONGEST_NAME = 40
_RULE = f"only letters, digits, `_`, `.` and `-`, at most {LONGEST_NAME}, and not empty"


def _checked(name: str) -> str:
    if re.fullmatch(rf"[\w.-]{{1,{LONGEST_NAME}}}", name) is None:
        raise ValueError(f"a filter's name has {_RULE}")
    return name


Name = Annotated[str, AfterValidator(_checked)]
Line = Annotated[str, StringConstraints(min_length=1)]


class _FiltersFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filters: dict[Name, Line] = Field(default_factory=dict)


def filters_file() -> Path:
    """Where the filters are."""
    return config_dir() / "filters.yaml"


def filter_name(text: str) -> str:
    """A name that a filter can have, without the @ that it may have been typed with.

    Raises:
        UsageError: no filter can have that name.
    """
    try:
        return _checked(text.strip().removeprefix("@"))
    except ValueError as error:
        raise UsageError(f"{text.strip() or 'This'}: {error}.") from None


def load_filters(path: Path) -> dict[str, str]:
    """Read the filters' lines by their names; a file that doesn't exist has none.

    Raises:
        ConfigError: the file is malformed; the message names file, line and key.
    """
    if not path.exists():
        return {}
    source = read_yaml(path)
    if source.data is None:
        return {}
    try:
        return _FiltersFile.model_validate(source.data).filters
    except ValidationError as error:
        problems = [_sentence(path, source, problem) for problem in error.errors()]
        raise ConfigError(problems[0], hint="\n".join(problems[1:])) from error


def save_filters(path: Path, filters: Mapping[str, str]) -> None:
    """Write all filters, in one stroke: nobody ever reads half a file.

    Raises:
        ConfigError: the file can't be written; the old one is as it was.
    """
    text = yaml.safe_dump({"filters": dict(filters)}, allow_unicode=True, sort_keys=False)
    try:
        private_dir(path.parent)
        _replace(path.resolve(), text)  # a link stays one
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}).") from error


def _replace(target: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sentence(path: Path, source: Source, problem: Mapping[str, Any]) -> str:
    where: Key = tuple(part for part in problem["loc"] if part != "[key]")
    dotted = ".".join(str(part) for part in where) or "the file"
    start = f"{path}, line {source.line_of(where)}: {dotted}"
    match problem["type"]:
        case "extra_forbidden":
            return f"{start}: unknown key.{near(str(where[-1]), ['filters'])}"
        case "string_type":
            return f"{start}: must be text; quote it."
        case "string_too_short":
            return f"{start}: is empty."
        case "value_error":
            return f"{start}: {problem['ctx']['error']}."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{start}: must be a mapping of names to search lines."
        case _:
            return f"{start}: {problem['msg']}."
