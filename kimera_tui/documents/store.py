"""The folder of workflow files: found, read, and written whole or not at all."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kimera_tui.documents.document import Document
from kimera_tui.documents.parse import read_formed
from kimera_tui.documents.save import text_of
from kimera_tui.errors import ConfigError, KimeraError, UsageError, near
from kimera_tui.files import replace_file
from kimera_tui.yaml.reading import read_text

ENDING = ".kimera.yaml"
DIFF_LINES = 2_000
MAX_NAME = 120
"""Bytes of a file's name before its ending."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it was read or written last."""

    path: Path
    document: Document
    text: str


class ChangedOnDisk(KimeraError):
    """Somebody else wrote the file; nothing was written over it.

    Attributes:
        theirs: What is in the file.
        diff: From there to what was to be written, as a unified diff.
    """

    def __init__(self, path: Path, theirs: str, diff: str) -> None:
        super().__init__(f"{path} changed on disk: it was not touched.")
        self.theirs = theirs
        self.diff = diff


def workflows_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where workflows are kept: ``$KIMERA_WORKFLOWS``, else ``workflows`` in this folder."""
    return Path(environ.get("KIMERA_WORKFLOWS") or "workflows")


class Library:
    """The workflow files of a folder.

    Args:
        folder: Need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> list[Path]:
        """All files, by name; none where the folder can't be read."""
        try:
            return sorted(filter(_is_file, self._folder.glob(f"*{ENDING}")))
        except OSError:
            return []

    def file_for(self, name: str) -> Path:
        """Where a workflow of that name is kept."""
        stem = re.sub(r"[^\w.-]+", "-", name.lower()).strip("-.")
        short = stem.encode(errors="ignore")[:MAX_NAME].decode(errors="ignore")
        return self._folder / f"{short or 'workflow'}{ENDING}"

    def find(self, word: str) -> Path:
        """The file that a person names: by its path, or as it is called in the folder.

        Raises:
            UsageError: there is none; the message has the nearest names.
        """
        path, found = Path(word), self.file_for(word)
        if _is_file(path):
            return path
        if "/" in word or path.suffix in (".yaml", ".yml"):
            raise UsageError(f"No file {word}.")
        if _is_file(found):
            return found
        names = [each.name.removesuffix(ENDING) for each in self.entries()]
        known = f" There are: {', '.join(names[:10])}." if names else ""
        raise UsageError(f"No workflow `{word}` in {self._folder}.{near(word, names) or known}")


def open_workflow(path: Path) -> Stored:
    """Read a file that has the format's form, to be edited.

    Raises:
        ConfigError: it can't be read, or has not; the message names line and field.
    """
    text = read_text(path)
    return Stored(path, read_formed(text, str(path)), text)


def changed(stored: Stored) -> bool:
    """Whether a file is there and holds something else than it did."""
    try:
        return read_text(stored.path) != stored.text
    except ConfigError:
        return False


def save(document: Document, path: Path, stored: Stored | None) -> Stored:
    """Write a document; the file has either what it had or all of the new.

    Args:
        document: What is written.
        path: Where to.
        stored: What was read from there; None for a file that must not be there yet.

    Raises:
        ChangedOnDisk: somebody else wrote the file.
        ConfigError: it can't be written, or has a value that a file can't hold.
    """
    text = text_of(document, stored.text if stored is not None else "")
    try:
        there = read_text(path) if path.exists() else None
        if there is not None and (stored is None or there != stored.text):
            raise ChangedOnDisk(path, there, _diff(there, text, path))
        replace_file(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}).") from error
    return Stored(path, document, text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that may not be looked into
        return False


def _diff(theirs: str, ours: str, path: Path) -> str:
    lines = difflib.unified_diff(
        theirs.splitlines(), ours.splitlines(), f"{path} on disk", "yours", lineterm=""
    )
    return "\n".join(line for line, _ in zip(lines, range(DIFF_LINES), strict=False))
