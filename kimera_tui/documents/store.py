"""The folder of workflow files: find, read, and write them atomically."""

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
"""Maximum bytes of a file name before its ending."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it was last read or written."""

    path: Path
    document: Document
    text: str


class ChangedOnDisk(KimeraError):
    """The file changed on disk; it was not overwritten.

    Attributes:
        theirs: The content of the file.
        diff: A unified diff from the file to the text that was to be written.
    """

    def __init__(self, path: Path, theirs: str, diff: str) -> None:
        super().__init__(f"{path} changed on disk; it was not overwritten.")
        self.theirs = theirs
        self.diff = diff


def workflows_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of workflows: ``$KIMERA_WORKFLOWS``, or ``workflows`` in the current folder."""
    return Path(environ.get("KIMERA_WORKFLOWS") or "workflows")


class Library:
    """The workflow files of a folder.

    Args:
        folder: The folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> list[Path]:
        """All files, by name; empty if the folder cannot be read."""
        try:
            return sorted(filter(_is_file, self._folder.glob(f"*{ENDING}")))
        except OSError:
            return []

    def file_for(self, name: str) -> Path:
        """The file for a workflow of that name."""
        stem = re.sub(r"[^\w.-]+", "-", name.lower()).strip("-.")
        short = stem.encode(errors="ignore")[:MAX_NAME].decode(errors="ignore")
        return self._folder / f"{short or 'workflow'}{ENDING}"

    def find(self, word: str) -> Path:
        """The file for a path or the name of a workflow.

        Raises:
            UsageError: it does not exist; the message suggests names.
        """
        path, by_name = Path(word), self.file_for(word)
        if _is_file(path):
            return path
        if "/" in word or path.suffix in (".yaml", ".yml"):
            raise UsageError(f"No file {word}.")
        if _is_file(by_name):
            return by_name
        names = [each.name.removesuffix(ENDING) for each in self.entries()]
        others = f" Available: {', '.join(names[:10])}." if names else ""
        raise UsageError(f"No workflow `{word}` in {self._folder}.{near(word, names) or others}")


def open_workflow(path: Path) -> Stored:
    """Read a file for editing.

    Raises:
        ConfigError: it cannot be read, or its format is wrong; the message names line and field.
    """
    text = read_text(path)
    return Stored(path, read_formed(text, str(path)), text)


def changed(stored: Stored) -> bool:
    """Whether a file exists and its content has changed."""
    try:
        return read_text(stored.path) != stored.text
    except ConfigError:
        return False


def save(document: Document, path: Path, stored: Stored | None) -> Stored:
    """Write a document atomically.

    Args:
        document: The document.
        path: The file.
        stored: The file as it was read; None for a file that must not exist yet.

    Raises:
        ChangedOnDisk: the file changed since then.
        ConfigError: the file cannot be written, or the document has a value YAML cannot hold.
    """
    text = text_of(document, stored.text if stored is not None else "")
    try:
        current = read_text(path) if path.exists() else None
        if current is not None and (stored is None or current != stored.text):
            raise ChangedOnDisk(path, current, _diff(current, text, path))
        replace_file(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}).") from error
    return Stored(path, document, text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder without permission
        return False


def _diff(theirs: str, ours: str, path: Path) -> str:
    lines = difflib.unified_diff(
        theirs.splitlines(), ours.splitlines(), f"{path} on disk", "yours", lineterm=""
    )
    return "\n".join(line for line, _ in zip(lines, range(DIFF_LINES), strict=False))
