"""Trust: what files found in the working directory may read, as allowed by their operator.

A file named by an option or by the environment is trusted. A file that was merely found is data:
anything else that it wants to read is shown, and allowed once, for this file and this request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kimera_tui.config.paths import config_dir, private_dir
from kimera_tui.errors import ConfigError
from kimera_tui.files import replace_file

_SHOWN = 20
"""Requests listed in one error."""


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """Something outside a file that the file wants to read."""

    kind: Literal["variable", "file"]
    name: str
    """The environment variable, or the path as written."""
    to: str
    """Where it is sent, such as ``etl.load``; empty if it is not sent."""

    @property
    def source(self) -> str:
        """What is read, in words."""
        return f"the environment variable {self.name}" if self.kind == "variable" else self.name

    @property
    def sentence(self) -> str:
        """What is read and where it is sent, in a sentence."""
        goes = f"and sends it to {self.to}" if self.to else "and sends it nowhere"
        return f"Reads {self.source} {goes}."


class NotTrusted(ConfigError):
    """A file asks for something its operator has not allowed.

    Attributes:
        file: The file.
        wanted: What the file asks for.
    """

    def __init__(self, file: Path, wanted: Sequence[Access]) -> None:
        first, *others = [access.sentence for access in wanted]
        more = [f"and {len(others) - _SHOWN} more"] if len(others) > _SHOWN else []
        allow = f"If that is what you want: kimera-tui trust {file}"
        super().__init__(
            f"{file} is not trusted: {first[0].lower()}{first[1:]}",
            hint="\n".join([*others[:_SHOWN], *more, allow]),
        )
        self.file = file
        self.wanted = tuple(wanted)


class Trust:
    """The permissions given so far, in a file of the user's.

    Args:
        path: The file; None for the default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "trust.json"

    def missing(self, file: Path, wanted: Sequence[Access]) -> list[Access]:
        """Return what a file asks for and has not been allowed.

        Raises:
            ConfigError: the permissions cannot be read.
        """
        if not wanted:
            return []
        allowed = set(self._read().get(_key(file), ()))
        return [access for access in wanted if access not in allowed]

    def allow(self, file: Path, wanted: Sequence[Access]) -> None:
        """Allow what a file asks for now, in place of what it was allowed before.

        Raises:
            ConfigError: the permissions cannot be read or written.
        """
        self._write({**self._read(), _key(file): sorted(set(wanted))})

    def forget(self, file: Path) -> bool:
        """Revoke all permissions of a file; return whether it had any.

        Raises:
            ConfigError: the permissions cannot be read or written.
        """
        known = dict(self._read())
        had = known.pop(_key(file), None) is not None
        if had:
            self._write(known)
        return had

    def files(self) -> Mapping[str, Sequence[Access]]:
        """Return the permissions of each file, by absolute path.

        Raises:
            ConfigError: the permissions cannot be read.
        """
        return self._read()

    def _read(self) -> Mapping[str, Sequence[Access]]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read ({error}).") from error
        try:
            return {
                file: [_access(each) for each in allowed]
                for file, allowed in json.loads(text)["files"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{self._path}: is damaged.", hint="Remove it and trust the files again."
            ) from error

    def _write(self, known: Mapping[str, Sequence[Access]]) -> None:
        plain = {
            file: [[each.kind, each.name, each.to] for each in allowed]
            for file, allowed in sorted(known.items())
        }
        text = json.dumps({"files": plain}, indent=1, ensure_ascii=False)
        try:
            private_dir(Path(os.path.realpath(self._path.parent)))
            replace_file(self._path, f"{text}\n", private=True)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be written ({error.strerror}).") from error


def _access(plain: Any) -> Access:
    kind, name, to = plain
    return Access(kind, name, to)


def _key(file: Path) -> str:
    return os.path.realpath(file)
