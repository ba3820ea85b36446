"""Format errors of a document, in terms of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kimera_tui.config.validation_errors import at, place_of, sentence_of
from kimera_tui.documents.document import (
    KINDS,
    STEP_LISTS,
    ChainStep,
    Concurrency,
    Condition,
    Defaults,
    Document,
    Input,
    ParaStep,
    Retry,
    TaskStep,
)
from kimera_tui.documents.foreign_syntax import instead_of, right_form
from kimera_tui.yaml.reading import Key

MOST = 400
"""Maximum number of errors to process; a document can have thousands."""


@dataclass(frozen=True, slots=True)
class FormError:
    """One value in the wrong format."""

    path: Key
    kind: str
    """Pydantic's type of the error."""
    sentence: str = ""
    """The mistake, to be shown after the path."""
    of_key: bool = False
    """Whether the key itself is wrong, rather than its value."""


def validated(data: Any) -> tuple[Document | None, list[FormError]]:
    """The document made from plain values, or its format errors, one for each path."""
    try:
        return Document.model_validate(data, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, _form_errors(data, error)
    except RecursionError:
        return None, [FormError((), "deep", "steps are nested too deeply.")]


def is_step(path: Key) -> bool:
    """Whether a path ends at a step."""
    return len(path) > 1 and isinstance(path[-1], int) and path[-2] in STEP_LISTS


def misspelt_kind(step: Mapping[str, Any]) -> tuple[str, str]:
    """The key of a step that is probably a misspelt kind, and that kind; empty texts if none."""
    known = {*_names(TaskStep), *_names(ChainStep), *_names(ParaStep)}
    unknown = [key for key in step if key not in known and len(key) < 20][:40]
    for key in unknown:
        for kind in get_close_matches(key, KINDS, n=1, cutoff=0.5):
            return key, kind
    return "", ""


def sentence_of_field(error: ValidationError) -> tuple[str, str]:
    """The form field that an error is about, empty for all of them, and the error's sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    path: Key = first["loc"][:1]
    return str(path[0]) if path else "", _sentence(None, path, first)


def _form_errors(data: Any, error: ValidationError) -> list[FormError]:
    errors: dict[Key, FormError] = {}
    for each in error.errors(include_url=False, include_input=False)[:MOST]:
        kind, loc = each["type"], each["loc"]
        path = place_of(data, loc, kind, is_step)
        if path in errors or (kind == "literal_error" and _is_handlers(data, path)):
            continue
        sentence = _sentence(data, path, each)
        errors[path] = FormError(path, kind, sentence, of_key=loc[-1:] == ("[key]",))
    return list(errors.values())


def _is_handlers(data: Any, path: Key) -> bool:
    """Whether it is a list of error handlers, whose own errors are reported."""
    return path[-1:] == ("on_error",) and is_step(path[:-1]) and isinstance(at(data, path), list)


def _sentence(data: Any, path: Key, error: ErrorDetails) -> str:
    kind = error["type"]
    last = str(path[-1])[:80] if path else ""
    if kind == "extra_forbidden" and (instead := instead_of(last, _owner(path[:-1]))):
        return f"unknown key '{last}': {instead}."
    if kind == "step_kind":
        return f"a step needs exactly one of {', '.join(KINDS)}.{_misspelt(at(data, path))}"
    if last == "on_error" and is_step(path[:-1]):
        return "must be fail, continue, or a list of steps."
    if kind == "string_pattern_mismatch":
        return f"{_form_of(path)}."
    known = _known_keys(data, path[:-1]) if kind == "extra_forbidden" else ()
    sentence = sentence_of(error, path, at(data, path), known)
    form = right_form(last, at(data, path), of_input=_is_input(path)) if kind in _FORMS else ""
    return f"{sentence.removesuffix('.')}: {form}." if form else sentence


def _owner(path: Key) -> str:
    """What a key at a path is a key of, as ``instead_of`` calls it."""
    if is_step(path):
        return "step"
    if _is_input(path):
        return "input"
    return "retry" if path[-1:] == ("retry",) else "" if path else "file"


def _is_input(path: Key) -> bool:
    return len(path) == 2 and path[0] == "inputs"


_FORMS = ("list_type", "dict_type", "model_type", "model_attributes_type")


def _misspelt(step: Any) -> str:
    if not isinstance(step, dict) or set(KINDS) & set(step):
        return ""
    for word in list(step)[:40]:
        if isinstance(word, str) and (instead := instead_of(word[:40], "kind")):
            return f" Unknown key '{word}': {instead}."
    key, kind = misspelt_kind(step)
    return f" Unknown key '{key}'. Near: `{kind}`." if key else ""


def _form_of(path: Key) -> str:
    last = path[-1] if path else ""
    if last == "task":
        return "write a task as friend.task, with letters, digits and _ . : -"
    if last == "from":
        return "a secret comes from env:NAME, file:PATH or prompt"
    if path[:1] == ("env",):
        return "a variable name has only letters, digits and _"
    return "use up to 40 lowercase letters, digits and `_`, starting with a letter"


_MODELS: Mapping[str, type[BaseModel]] = {
    "concurrency": Concurrency,
    "defaults": Defaults,
    "retry": Retry,
    "when": Condition,
    "not": Condition,
}
_STEPS: Mapping[str, type[BaseModel]] = {"task": TaskStep, "chain": ChainStep, "para": ParaStep}


def _known_keys(data: Any, path: Key) -> Iterator[str]:
    """The valid keys at a path."""
    if is_step(path):
        here = at(data, path)
        kind = next((kind for kind in KINDS if isinstance(here, dict) and kind in here), "task")
        return _names(_STEPS[kind])
    if _is_input(path):
        return _names(Input)
    if path and isinstance(path[-1], int):
        return _names(Condition)
    return _names(_MODELS.get(str(path[-1]), Document) if path else Document)


def _names(model: type[BaseModel]) -> Iterator[str]:
    return (each.alias or name for name, each in model.model_fields.items())
