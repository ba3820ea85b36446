"""What files may read: anything if the environment names them, else what was allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from kimera_tui.config.env_file import is_from_env_file
from kimera_tui.config.friends import Friend, accesses_of
from kimera_tui.config.trust import Access, NotTrusted, Trust
from kimera_tui.console.friends import DEMO_FRIENDS
from kimera_tui.documents.data_access import reads_of
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import workflows_folder


class Permissions:
    """Decides whether files may read what they ask for.

    Args:
        environ: The environment, including the variables of ``.env``.
        friends_file: friends.yaml.
        friends: The friends in it.
    """

    def __init__(
        self, environ: Mapping[str, str], friends_file: Path, friends: Mapping[str, Friend]
    ) -> None:
        self._environ = environ
        self._friends_file = friends_file
        self._friends = friends
        self._trust = Trust()
        self._allowed_here: set[Access] = set()
        """What unsaved documents may read until the console exits."""

    def friends_want(self) -> Sequence[Access]:
        """What friends.yaml asks to read and nobody has allowed; raises as ``Trust.missing``."""
        if is_friends_file_named(self._friends_file, self._environ):
            return ()
        return self._trust.missing(self._friends_file, accesses_of(self._friends))

    def allow_friends(self) -> None:
        """Let friends.yaml read what it asks for now."""
        self._trust.allow(self._friends_file, accesses_of(self._friends))

    def variables(self) -> Mapping[str, str]:
        """The environment, restricted to what friends.yaml may read."""
        return _Variables(self._friends_file, self.friends_want)

    def reads(self, document: Document) -> Sequence[Access]:
        """What a run of a document reads apart from its own file."""
        url = self._environ.get("BROKER_URL", "") if is_from_env_file("BROKER_URL") else ""
        return reads_of(document, self._friends, url)

    def wants(self, document: Document, file: Path | None) -> Sequence[Access]:
        """What a document asks to read and nobody has allowed.

        Args:
            document: The document to run.
            file: Where it is from; None if it was never saved.

        Raises:
            ConfigError: the permissions can't be read.
        """
        wanted = self.reads(document)
        if file is None:
            return [access for access in wanted if access not in self._allowed_here]
        if is_workflow_named(file, self._environ):
            return ()
        return self._trust.missing(file, wanted)

    def allow(self, document: Document, file: Path | None) -> None:
        """Let a document read what it asks for now; an unsaved one only until the console exits."""
        if file is None:
            self._allowed_here |= set(self.reads(document))
        else:
            self._trust.allow(file, self.reads(document))

    def check(self, document: Document, file: Path | None) -> None:
        """Raise NotTrusted if a document asks to read something that nobody has allowed."""
        if wanted := self.wants(document, file):
            raise NotTrusted(file or Path(document.name), wanted)


class _Variables(Mapping[str, str]):
    """The environment without what friends.yaml may not read."""

    def __init__(self, file: Path, wanted: Callable[[], Sequence[Access]]) -> None:
        self._file = file
        self._wanted = wanted
        self._all_allowed = False

    def __getitem__(self, name: str) -> str:
        if not self._all_allowed:
            wanted = self._wanted()
            if refused := [access for access in wanted if access.name == name]:
                raise NotTrusted(self._file, refused)
            self._all_allowed = not wanted
        return os.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def is_friends_file_named(file: Path, environ: Mapping[str, str]) -> bool:
    """Whether the environment names friends.yaml or its folder."""
    if file == DEMO_FRIENDS:
        return True
    if environ.get("KIMERA_FRIENDS"):
        return not is_from_env_file("KIMERA_FRIENDS")
    return file != Path("friends.yaml") and not is_from_env_file("APP_PATH")


def is_workflow_named(file: Path, environ: Mapping[str, str]) -> bool:
    """Whether a file is in the workflow folder that the environment names."""
    if not environ.get("KIMERA_WORKFLOWS") or is_from_env_file("KIMERA_WORKFLOWS"):
        return False
    folder = os.path.realpath(workflows_folder(environ))
    return os.path.realpath(file).startswith(f"{folder}{os.sep}")
