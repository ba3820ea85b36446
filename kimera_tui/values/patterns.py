"""Regular expressions that somebody else wrote: matched in a time that grows with the text only."""

from __future__ import annotations

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema


def is_match(pattern: str, text: str) -> bool:
    """Whether the whole of a text matches a pattern.

    The engine is pydantic's, which never goes back: Python's own would take for ever on patterns
    such as ``(a+)+``.

    Raises:
        ValueError: it is no pattern; the message says why.
    """
    try:
        _compiled(pattern, "{}")
        _compiled(pattern, "^(?:{})$").validate_python(text)
    except SchemaError as error:
        lines = str(error).strip().splitlines()
        why = lines[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
        raise ValueError(why.removesuffix(".")) from None
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=64)
def _compiled(pattern: str, frame: str) -> SchemaValidator:
    """A pattern by itself, or as all of a text: ``a)|(b`` is right only within brackets."""
    return SchemaValidator(core_schema.str_schema(pattern=frame.replace("{}", pattern)))
