"""Saved filters: search lines by name, in a file that the console also writes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from kimera_tui.config.paths import config_dir, private_dir
from kimera_tui.config.validation_errors import problems_in, refusal
from kimera_tui.errors import ConfigError, UsageError
from kimera_tui.files import is_missing, replace_file
from kimera_tui.yaml.reading import read_yaml
from kimera_tui.yaml.writing import lines_of

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


_OWN = {
    "string_too_short": "is empty",
    "model_type": "must be a mapping of names to search lines",
    "dict_type": "must be a mapping of names to search lines",
}


def filters_file() -> Path:
    """The file with the filters."""
    return config_dir() / "filters.yaml"


def filter_name(text: str) -> str:
    """A filter's name, without a leading @.

    Raises:
        UsageError: no filter can have that name.
    """
    try:
        return _checked(text.strip().removeprefix("@"))
    except ValueError as error:
        raise UsageError(f"{text.strip() or 'This'}: {error}.") from None


def load_filters(path: Path) -> dict[str, str]:
    """The search lines by name; a file that doesn't exist has none.

    Raises:
        ConfigError: the file can't be read or is malformed; the message names file, line and key.
    """
    if is_missing(path):
        return {}
    source = read_yaml(path)
    if source.data is None:
        return {}
    try:
        return _FiltersFile.model_validate(source.data).filters
    except ValidationError as error:
        problems = problems_in(source.data, error, lambda _: _FiltersFile.model_fields, _OWN)
        raise refusal(path, source, problems) from error


def save_filters(path: Path, filters: Mapping[str, str]) -> None:
    """Replace the file in one step, so that nobody reads half of it.

    Raises:
        ConfigError: the file can't be written; the old one is unchanged.
    """
    text = "\n".join(lines_of("filters", filters, short=False)) + "\n"
    try:
        private_dir(Path(os.path.realpath(path.parent)))  # a link, where others keep the file
        replace_file(path, text, private=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}).") from error
