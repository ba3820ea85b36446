"""Friends: the services that friends.yaml describes."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from kimera_tui.config.trust import Access
from kimera_tui.config.validation_errors import problems_in, refusal
from kimera_tui.errors import ConfigError, UnknownFriend, near
from kimera_tui.files import is_missing
from kimera_tui.redaction import redact_text
from kimera_tui.values.spec import Spec
from kimera_tui.yaml.reading import Key, read_yaml

MAX_PATTERNS = 100
"""Different patterns in one file: one near the engine's limit takes a tenth of a second."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\w.:-]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Param(Spec):
    """One parameter of a task."""

    type: Literal[
        "string", "int", "float", "bool", "date", "datetime", "duration", "enum", "json"
    ] = "string"
    secret: bool = False
    """Never shown, never written down."""

    @property
    def is_secret(self) -> bool:
        """Whether nobody may see its value."""
        return self.secret


class TaskInfo(_Strict):
    """One task as friends.yaml describes it."""

    doc: str = ""
    params: dict[str, Param] = Field(default_factory=dict)


class Friend(_Strict):
    """One service: where its tasks live and how to call them."""

    route: Name
    """Module path that precedes a task's name."""
    queue: Name
    broker: str | None = None
    """Its own broker, else the default one; ``${NAME}`` stands for an environment variable."""
    backend: str | None = None
    description: str = ""
    danger: bool = False
    read_only: bool = False
    timeout: Annotated[float, Field(gt=0, strict=False, allow_inf_nan=False)] = 30
    """Seconds; the default timeout of this friend's tasks."""
    release: Literal["revoke", "forget"] = "revoke"
    """How finished tasks are released: revoked and forgotten, or only forgotten."""
    tasks: dict[Name, TaskInfo] = Field(default_factory=dict)

    def as_mapping(self) -> dict[str, Any]:
        """The settings as ``TaskManager.friends`` holds them."""
        return self.model_dump(exclude_none=True)


class _FriendsFile(_Strict):
    friends: dict[Name, Friend] = Field(default_factory=dict)


_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NAMES = "only letters, digits, `_`, `.`, `:` and `-`, and not empty"
_OWN = {
    "string_pattern_mismatch": _NAMES,
    "string_too_short": _NAMES,
    "finite_number": "must be a finite number of seconds",
}


def friends_path(environ: Mapping[str, str]) -> Path:
    """The friends.yaml in use: the named one, the app's, the app folder's, or the one here."""
    if named := environ.get("KIMERA_FRIENDS"):
        return Path(named)
    here = Path("friends.yaml")
    if not (app_path := environ.get("APP_PATH")):
        return here
    app = Path(app_path)
    candidates = (app / "app" / "config" / "friends.yaml", app / "friends.yaml")
    return next((path for path in candidates if not is_missing(path)), here)


def load_friends(path: Path) -> dict[str, Friend]:
    """Read friends.yaml; a file that doesn't exist means no friends.

    Raises:
        ConfigError: the file can't be read or is malformed; the message names file, line and key.
    """
    if is_missing(path):
        return {}
    with _no_collections():
        return _read(path)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Postpone garbage collections, which take a quarter of the time to read a large file.

    They would find nothing: all that is read stays.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(path: Path) -> dict[str, Friend]:
    source = read_yaml(path)
    if source.data is None:
        return {}
    try:
        friends = _FriendsFile.model_validate(source.data).friends
    except ValidationError as error:
        problems = problems_in(source.data, error, _keys_at, _OWN)
        raise refusal(path, source, problems) from error
    if problems := list(_wrong_params(friends)):
        raise refusal(path, source, problems)
    return friends


def _wrong_params(friends: Mapping[str, Friend]) -> Iterator[tuple[Key, str]]:
    """Contradictions in the declarations of parameters, each with its place."""
    patterns = set()
    for friend_name, friend in friends.items():
        for task_name, task in friend.tasks.items():
            for name, param in task.params.items():
                place = ("friends", friend_name, "tasks", task_name, "params", name)
                patterns.add(param.pattern)
                if len(patterns) > MAX_PATTERNS:
                    yield (*place, "pattern"), f"more than {MAX_PATTERNS} different patterns."
                    return
                for key, sentence in param.problems(name):
                    yield (*place, key), sentence


def find_friend(friends: Mapping[str, Any], name: str) -> Any:
    """The friend's configuration, or UnknownFriend with the nearest names."""
    try:
        return friends[name]
    except KeyError:
        raise UnknownFriend(f"No friend `{name}`.{near(name, friends)}") from None


def secret_params(entry: Mapping[str, Any], task_name: str, positional: int = 0) -> frozenset[str]:
    """Which arguments of a task its friend declares secret.

    Args:
        entry: The friend's configuration.
        task_name: The task.
        positional: Number of positional arguments.

    Returns:
        Names of parameters, and positions of positional arguments (``"0"`` is the first).
    """
    params = (entry.get("tasks") or {}).get(task_name, {}).get("params") or {}
    secret = [name for name, param in params.items() if param.get("secret")]
    places = [str(at) for at, name in enumerate(params) if name in secret and at < positional]
    return frozenset([*secret, *places])


def expand(value: str, friend: str, variables: Mapping[str, str]) -> str:
    """A text with the values of its ``${NAME}``.

    Raises:
        ConfigError: a variable isn't set, or may not be read; the message names it.
    """

    def variable(match: re.Match[str]) -> str:
        try:
            return variables[match[1]]
        except KeyError:
            raise ConfigError(
                f"Friend `{friend}`: environment variable {match[1]} is not set."
            ) from None

    return _VARIABLE.sub(variable, value)


def accesses_of(friends: Mapping[str, Friend]) -> list[Access]:
    """The environment variables in the friends' URLs."""
    return sorted(
        {
            Access("variable", name, f"{redact_text(url)}, the {what} of friend `{friend_name}`")
            for friend_name, friend in friends.items()
            for what, url in (("broker", friend.broker), ("result backend", friend.backend))
            if url is not None
            for name in _VARIABLE.findall(url)
        }
    )


def _keys_at(where: Key) -> Iterable[str]:
    """The known keys in the place of an unknown one."""
    by_depth: dict[int, type[BaseModel]] = {1: _FriendsFile, 3: Friend, 5: TaskInfo, 7: Param}
    return by_depth.get(len(where), Friend).model_fields
