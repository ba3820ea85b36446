"""Regular expressions from files, matched in linear time."""

from __future__ import annotations

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema


def is_match(pattern: str, text: str) -> bool:
    """Whether the whole of a text matches a pattern.

    Pydantic's engine never backtracks: Python's own would never end on patterns such as
    ``(a+)+``.

    Raises:
        ValueError: the pattern is not a regular expression; the message says why.
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
    """A compiled pattern in a frame; alone first, as ``a)|(b`` is valid only in a frame."""
    return SchemaValidator(core_schema.str_schema(pattern=frame.replace("{}", pattern)))
