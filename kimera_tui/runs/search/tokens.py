"""The search line as tokens: words, quoted text, parentheses and operators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kimera_tui.errors import UsageError
from kimera_tui.runs.search.tree import OPERATORS

_TOKEN = re.compile(
    r"""(?P<space> \s+ )
      | (?P<mark> [()|] )
      | (?P<minus> - (?= [^\s)|] ) )
      | (?P<word> (?: [^\s"()|] | "(?: [^"] | "" )*+" )++ )""",
    re.VERBOSE,
)
_QUOTE = re.compile(r'"((?:[^"]|"")*+)"')
Kind = Literal["word", "or", "and", "not", "(", ")"]
_MARKS: dict[str, Kind] = {"(": "(", ")": ")", "|": "or", "-": "not"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the line."""

    kind: Kind
    text: str
    """A word without its quotes; otherwise what was typed."""
    plain: int = 0
    """How many characters at the beginning of a word are outside quotes."""


def tokens_of(line: str) -> list[Token]:
    """Split a line into tokens.

    Raises:
        UsageError: a quote is not closed, or a ( directly follows a word.
    """
    tokens: list[Token] = []
    at = end = 0
    while at < len(line):
        if (found := _TOKEN.match(line, at)) is None:
            raise UsageError('The search has a " without its closing ".')
        at = found.end()
        if found.lastgroup == "space":
            continue
        previous = tokens[-1] if tokens and end == found.start() else None
        tokens.append(_token(found[0], found.lastgroup == "word", previous))
        end = at
    return tokens


def _token(text: str, is_word: bool, previous: Token | None) -> Token:
    """Make a token.

    Args:
        text: As it was typed.
        is_word: Whether it is a word rather than a mark.
        previous: The token directly before it, without a space.
    """
    if is_word:
        return _word(text, negated=previous is not None and previous.text == "-")
    if text == "(" and previous is not None and previous.kind == "word":
        raise UsageError(
            f"A ( directly follows `{previous.text}`: put a space between them,"
            " or all of it in quotes."
        )
    return Token(_MARKS[text], text)


def _word(text: str, *, negated: bool) -> Token:
    operator = None if negated else OPERATORS.get(text.lower())
    if operator is not None:
        return Token(operator, text)
    plain = text.find('"')
    bare = _QUOTE.sub(lambda quote: quote[1].replace('""', '"'), text)
    return Token("word", bare, len(text) if plain < 0 else plain)
