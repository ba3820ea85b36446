"""Thousands of broken documents and templates: each is read, or refused in a clean sentence.

As a program it takes all of them, or the share of them that its argument says, and looks at the
time that each takes: ``make fuzz``.
"""

from __future__ import annotations

import contextlib
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kimera_tui.documents.dump import document_from, header_of
from kimera_tui.documents.parse import read_document
from kimera_tui.documents.references import (
    TemplateError,
    escape,
    parse_reference,
    references_in,
    render,
)
from kimera_tui.documents.save import text_of
from kimera_tui.documents.template_filters import FILTERS
from kimera_tui.errors import ConfigError, KimeraError
from kimera_tui.execution.dry_run import dry_run
from kimera_tui.execution.planning import DocumentPlanner
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process.loop.clock import new_id
from kimera_tui.yaml.reading import Malformed, read_text
from tests.documents.cases import CAPS, EVERYTHING, EXAMPLES, FRIENDS, HOSTILE, LARGEST

SEED = 20260131
BAR, CAP_BAR, FILTER_BAR = 0.1, 0.5, 0.005
"""Seconds of this thread's time that a case may take, one that is made to hurt, and a filter."""
TOKENS = (
    *"{}[],:#&*!|>'\"%@`-?~ \n\t\\\0\x85\u2028\ufeffé😀0179aZ$.<",
    "- ", ": ", " #", "\n  ", "---\n", "...\n", "<<: ", "!!int ", "&a ", "*a", "null", "true",
    "no", "1e999", ".nan", "0o17", "9" * 400, "12:30:00", "2026-02-30", "${{ ", " }}", "$${{",
    "${{ steps.first.result }}", "${{ inputs.key }}", "id: ", "task: ", "chain: ", "para: ",
    "kwargs: ", "args: ", "when: ", "on_error: ", "finally: ", "inputs: ", "kimera: ", "type: ",
    "{}", "[]", "[[", "{{", "\\ud800", "\\x00", "x" * 300,
)  # fmt: skip
PARTS = (
    "${{", "}}", "$${{", "$", "{{", " ", "\n", ".", "[", "]", "'", '"', "|", "(", ")", "-", "0",
    "1", "99", "inputs", "steps", "prev", "run", "env", "error", "item", "text", "list", "map",
    "none", "default", "json", "str", "int", "float", "lower", "upper", "trim", "length", "first",
    "last", "join", "a", "__class__", "é", "\0", "true", "null", "x" * 50, "٣",
)  # fmt: skip
SCOPE = {
    "inputs": {"text": "abc", "list": [1, "b", None], "map": {"a": {"b": [0]}}, "none": None},
    "steps": {"a": {"result": float("nan"), "status": "done"}},
    "prev": [1.5, True, "1e400", {"text": 1}],
    "run": {"id": "x"},
}


@dataclass
class Tally:
    """What became of the cases of one kind."""

    kind: str
    bar: float
    outcomes: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    worst_case: str = ""
    over: list[str] = field(default_factory=list)
    unclean: list[str] = field(default_factory=list)

    def take(self, name: str, case: Callable[[], str], tries: int = 1) -> None:
        """Run a case, and count the fastest of so many tries."""
        took = math.inf
        try:
            for _ in range(tries):
                began = time.thread_time()
                outcome = case()
                took = min(took, time.thread_time() - began)
        except Exception as error:
            outcome = "UNCLEAN"
            self.unclean.append(f"{name}: {type(error).__name__}: {error}"[:400])
        else:
            if outcome == "UNCLEAN":
                self.unclean.append(name)
        took = took if took < math.inf else time.thread_time() - began
        self.outcomes[outcome] += 1
        if took > self.worst:
            self.worst, self.worst_case = took, name
        if took > self.bar:
            self.over.append(f"{name}: {took * 1000:.0f} ms")

    def summary(self) -> str:
        outcomes = ", ".join(f"{count:,} {what}" for what, count in self.outcomes.most_common())
        worst = f"worst {self.worst * 1000:.1f} ms ({self.worst_case})"
        return f"{self.kind}: {self.outcomes.total():,} cases: {outcomes}; {worst}"


def read(text: str) -> str:
    """Read a text; an error other than those that may be is raised."""
    try:
        found = read_document(text, "f", FRIENDS)
    except Malformed as error:
        return "malformed" if error.line >= 1 and error.sentence.endswith(".") else "UNCLEAN"
    assert found.problems or found.document is not None
    for problem in found.problems:
        assert problem.line >= 1, problem
        assert len(problem.sentence) > 5, problem
    return "wrong" if found.problems else "right"


def use(text: str) -> str:
    """Plan, show and write a document that has the form; each may refuse it cleanly."""
    try:
        document = read_document(text, "f", FRIENDS).document
    except ConfigError:
        return "used"
    if document is None:
        return "used"
    document_from(header_of(document))
    assert text_of(document, text) == text
    text_of(document)
    try:
        dry_run(document, RunInputs({"count": 1, "day": "2026-01-31"}), FRIENDS, {})
        DocumentPlanner(new_id).plan(document)
    except KimeraError:
        return "used"
    return "used"


def read_bytes(raw: bytes, path: Path) -> str:
    path.write_bytes(raw)
    try:
        text = read_text(path)
    except ConfigError as error:
        return "not text" if ", line " in str(error) else "UNCLEAN"
    return read(text)


def fill(text: str) -> str:
    """Parse and fill in a template; what is escaped comes out as it was."""
    assert render(escape(text), SCOPE) == text
    outcome = "filled in"
    for act in (lambda: list(references_in(text)), lambda: render([text], SCOPE)):
        try:
            act()
        except TemplateError:
            outcome = "refused"
    with contextlib.suppress(TemplateError):
        parse_reference(text)
    return outcome


def filtered(text: str, value: Any) -> str:
    """Fill in a template of one value."""
    try:
        render(text, {"prev": value})
    except TemplateError:
        return "refused"
    return "filled in"


def mutated(dice: random.Random, texts: list[str]) -> str:
    """A document with some mistakes in it."""
    text = dice.choice(texts)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(8):
            case 0:
                text = text[:at] + text[at + dice.choice((1, 1, 5, 50)) :]
            case 1 | 2:
                text = text[:at] + dice.choice(TOKENS) + text[at:]
            case 3:
                text = text[:at] + dice.choice(TOKENS) + text[at + 1 :]
            case 4:
                other = dice.choice(texts)
                text = text[:at] + other[dice.randrange(len(other)) :]
            case 5:
                text = text[:at]
            case _:
                text = _moved_lines(dice, text)
    return text


def _moved_lines(dice: random.Random, text: str) -> str:
    lines = text.split("\n")
    at, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    match dice.randrange(4):
        case 0:
            lines[at], lines[other] = lines[other], lines[at]
        case 1:
            del lines[at]
        case 2:
            lines.insert(other, lines[at])
        case _:
            lines[at] = " " * dice.randrange(10) + lines[at].lstrip()
    return "\n".join(lines)


def random_bytes(dice: random.Random) -> bytes:
    length = dice.choice((0, 1, 5, 50, 500, 3000))
    match dice.randrange(3):
        case 0:
            return dice.randbytes(length)
        case 1:
            return bytes(dice.choices(b"{}[],:#&*!|>'\"-? \n\tabc012\x00\xff", k=length))
    start = b"kimera: 1\nname: x\nsteps:\n"
    return start + "".join(dice.choices(TOKENS, k=length // 5)).encode(errors="ignore")


def random_template(dice: random.Random) -> str:
    inner = "".join(dice.choices(PARTS, k=dice.randrange(12)))
    return inner if dice.random() < 0.5 else f"a ${{{{ {inner} }}}} b"


def tallies(count: int, seed: int = SEED) -> Iterator[Tally]:
    """Take so many cases of each kind."""
    texts = [EVERYTHING, *(path.read_text() for path in EXAMPLES)]
    dice = random.Random(seed)
    documents = Tally("mutated documents", BAR)
    for number in range(count):
        text = mutated(dice, texts)
        documents.take(f"{seed}/{number}", partial(read, text))
        documents.take(f"{seed}/{number} used", partial(use, text))
    yield documents
    raws = Tally("random bytes", BAR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        for number in range(count):
            raw = random_bytes(dice)
            raws.take(f"{seed}/{number}", partial(read_bytes, raw, path))
    yield raws
    templates = Tally("random templates", BAR)
    for number in range(count):
        text = random_template(dice)
        templates.take(f"{seed}/{number} {text[:60]!r}", partial(fill, text))
    yield templates


def caps() -> Tally:
    """Take the cases that are made to hurt."""
    tally = Tally("at the caps", CAP_BAR)
    for name, text in CAPS.items():
        generated = text()
        tally.take(name, partial(read, generated))
    return tally


def filters() -> Tally:
    """Take every filter on every value that is made to hurt it."""
    tally = Tally("filters", FILTER_BAR)
    for name in FILTERS:
        for number, value in enumerate((*HOSTILE, *LARGEST)):
            text = f"a ${{{{ prev | {name} }}}}"
            tally.take(f"{name} {number}", partial(filtered, text, value), 3)
    return tally


def main() -> int:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    found = [*tallies(max(1, round(10_000 * share))), caps(), filters()]
    for tally in found:
        print(tally.summary())  # noqa: T201
        for line in [*tally.unclean[:20], *tally.over[:20]]:
            print(f"  ! {line}")  # noqa: T201
    return int(any(tally.unclean or tally.over for tally in found))


if __name__ == "__main__":
    sys.exit(main())
