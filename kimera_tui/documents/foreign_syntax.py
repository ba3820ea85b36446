"""Keys and shapes from other tools, each with its counterpart in this format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from kimera_tui.documents.document import STEP_LISTS, Input

_ORDER = (
    "steps run in the order of their list; put parallel steps into `para`",
    "needs depends dependson dependencies requires after runafter upstream",
)
_KWARGS = (
    "arguments go into `kwargs`",
    "with params parameters arguments inputs input vars variables",
)
_WHEN = (
    "write a condition as `when: {ref: steps.ID.result, eq: VALUE}`",
    "if condition unless onlyif skipif",
)
_NAME = ("a step's name is its `id`; `notes` is for people", "name title label")
_NOTES = ("`notes` is for people", "description desc comment doc")
_TASK = (
    "a step calls a Celery task: write `task: friend.task`",
    "uses run cmd command script exec image action call function",
)
_PARA = (
    "steps that run in parallel go into `para`",
    "parallel group branches concurrent fork",
)
_CHAIN = (
    "steps that run in sequence go into `chain`",
    "sequence sequential serial series steps",
)
_RETRY = (
    "write it as `retry: {max: 3, delay: 10s}`",
    "retries maxretries attempts maxattempts tries retrycount retrylimit retrydelay backoff",
)
_CONTINUE = (
    "write it as `on_error: continue`",
    "continueonerror allowfailure ignoreerror ignoreerrors ignorefailure",
)
_HANDLER = (
    "write it as `on_error`, with a list of steps",
    "onfailure onfail rescue catch except errorhandler linkerror",
)
_FINALLY = (
    "steps that always run go into `finally`, beside `steps`",
    "always ensure cleanup teardown onexit onerror onfailure",
)
_TIMEOUT = (
    "write it as `timeout: 10m`",
    "timeoutminutes timeoutseconds timelimit softtimelimit deadline maxduration",
)
_LOOP = (
    "there are no loops: write a step for each value",
    "foreach loop matrix strategy withitems items map each",
)
_QUEUE = (
    "friends.yaml sets the queue of a friend's tasks",
    "queue routingkey broker exchange",
)
_STEPS = (
    "steps go into the list `steps`",
    "jobs job tasks task stages stage nodes step pipeline workflow dag states flow chain para",
)
_VERSION = ("the version of the format is `kimera: 1`", "version apiversion schema kind")
_INPUTS = (
    "the parameters of a run go into `inputs`",
    "params parameters args arguments kwargs variables vars input",
)
_SCHEDULE = (
    "a workflow has no schedule; let cron call `kimera-tui run`",
    "on schedule cron trigger triggers interval",
)
_DEFAULTS = (
    "put it into `defaults` to apply it to all steps",
    "retry retries friend starttimeout ontimeout",
)
_MAX = (
    "`max` is the number of retries",
    "attempts maxattempts retries maxretries times count limit tries",
)
_DELAY = (
    "`delay` comes before the first retry; `factor` lengthens the following ones",
    "interval wait backoff countdown",
)
_VALUES = ("list the choices as `values`, with `type: enum`", "choices options enum oneof")
_OPTIONAL = ("an input is optional unless it says `required: true`", "optional nullable")
_PATTERN = ("write it as `pattern`", "regex regexp match")


def _by_word(*entries: tuple[str, str]) -> Mapping[str, str]:
    return {word: sentence for sentence, words in entries for word in words.split()}


_WORDS: Mapping[str, Mapping[str, str]] = {
    "file": _by_word(_STEPS, _VERSION, _INPUTS, _SCHEDULE, _FINALLY, _DEFAULTS),
    "step": _by_word(
        _ORDER, _KWARGS, _WHEN, _NAME, _NOTES, _TASK, _PARA, _CHAIN, _RETRY, _CONTINUE,
        _HANDLER, _TIMEOUT, _LOOP, _QUEUE,
    ),
    "kind": _by_word(_TASK, _PARA, _CHAIN),
    "retry": _by_word(_MAX, _DELAY),
    "input": _by_word(_VALUES, _OPTIONAL, _PATTERN),
}  # fmt: skip


def instead_of(word: str, where: str) -> str:
    """What to write instead of another tool's key, or an empty string.

    Args:
        word: The key in any spelling: ``depends_on``, ``dependsOn``, ``depends-on``.
        where: What it is a key of: ``file``, ``step``, ``kind`` (a step without a kind),
            ``retry`` or ``input``.
    """
    return _WORDS.get(where, {}).get(re.sub(r"[^a-z]", "", word.lower()), "")


def right_form(name: str, value: Any, *, of_input: bool = False) -> str:
    """How to write a key whose value has the wrong shape, or an empty string.

    Args:
        name: The key.
        value: Its value.
        of_input: Whether the key is the name of an input.
    """
    if of_input:
        return f"write `{name}: {_input(value)}`"
    if name in STEP_LISTS and isinstance(value, dict):
        return "start each step with `- id: NAME`"
    if name == "args" and isinstance(value, dict):
        return "named arguments go into `kwargs`"
    if name == "retry":
        most = value if isinstance(value, int) and not isinstance(value, bool) else 3
        return f"write `retry: {{max: {most}}}`"
    return _FORMS.get(name, "")


_FORMS: Mapping[str, str] = {
    "when": "write `when: {ref: inputs.NAME, eq: VALUE}`",
    "inputs": "write `inputs: {day: {type: date}}`",
    "kwargs": "write `kwargs: {day: VALUE}`",
    "concurrency": "write `concurrency: {key: NAME, limit: 1}`",
}
_TYPES: Mapping[type, str] = {bool: "bool", int: "int", float: "float"}


def _input(value: Any) -> str:
    """The full form of an input written as just its type or default."""
    if (kind := _TYPES.get(type(value))) is not None:
        return f"{{type: {kind}, default: {str(value).lower()}}}"
    types = get_args(Input.model_fields["type"].annotation)
    return f"{{type: {value if value in types else 'string'}}}"
