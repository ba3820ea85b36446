"""Documents of every kind, small, with all the texts that YAML could take for something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from kimera_tui.documents.document import Document

ODD_TEXTS = (
    "", " ", "no", "Yes", "null", "~", "true", "1", "-1", "017", "0x1F", "0o17", "1e3", "1e999",
    ".5", "5.", ".inf", ".nan", "12:30:00", "2026-01-31", "2026-01-31T12:30:00Z", "1_000", "<<",
    "=", "-", "- a", "?", "? a", ":", "a: b", "a:", "a:b", "#", "# a", "a # b", "a#b", " a", "a ",
    "[a", "{a", "a]", "&a", "*a", "!a", "|", ">", "|-\n", "%a", "@a", "`a", "'", '"', "'a'", "\\",
    "---", "...", "--- a", "a\nb", "a\nb\n", "a\n\nb\n\n", "\na", "a\n b", " a\nb", "a \nb",
    "a\n  \nb", "a\n\tb", "\t", "a\tb", "a\r\nb", "\r", "\0", "\x07", "\x7f", "\x85", "\u2028",
    "\ufeff", "\u200b", "é", "😀", "\U0010ffff", "\ue000", "${{ run.id }}", "a ${{ prev }}: b",
    "$${{ x }}", "x" * 300, "word " * 40, "a\n" * 30, "# a\n# b", "- a\n- b", "a: b\nc: d\n",
)  # fmt: skip
# By number, for the sake of what hypothesis prints.
texts = st.integers(0, len(ODD_TEXTS) - 1).map(ODD_TEXTS.__getitem__) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)
names = texts.filter(lambda text: 0 < len(text) <= 200)
numbers = (
    st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
durations = st.sampled_from([0.5, 1, 30, "45s", "5m", "1h30m", 86400.25])
times = st.sampled_from(["revoke", "leave", "terminate"])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the keys."""
    return st.fixed_dictionaries({}, optional=fields)


comparisons = st.builds(
    lambda ref, operator, value, missing: {"ref": ref, operator: value, **missing},
    texts, st.sampled_from(["eq", "ne"]), values, some(missing=st.sampled_from(["true", "false"])),
) | st.fixed_dictionaries({"ref": texts, "in": st.lists(values, max_size=2)})  # fmt: skip
conditions = st.recursive(
    comparisons,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=4,
)
retries = st.builds(
    lambda most, rest: {"max": most, **rest},
    st.integers(0, 100),
    some(delay=durations, factor=st.sampled_from([1, 2.5]), on=st.just(["TIMEOUT", "A B"])),
)
shared = {
    "notes": texts,
    "when": conditions,
    "on_error": st.sampled_from(["fail", "continue"]),
}
task_names = st.sampled_from(["lab.step", "no", "a:b", "1.5", "-", "2026-01-31", "null"])
tasks = st.builds(
    lambda task, rest: {"task": task, **rest},
    task_names,
    some(
        args=st.lists(values, max_size=3), kwargs=st.dictionaries(texts, values, max_size=4),
        friend=st.sampled_from(["lab", "no", "a b"]), timeout=durations, start_timeout=durations,
        on_timeout=times, retry=retries, idempotent=st.booleans(),
        **{"pass": st.sampled_from(["auto", "first", "payload", "none"])}, **shared,
    ),
)  # fmt: skip


def groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    chains = st.builds(lambda steps, rest: {"chain": steps, **rest}, lists, some(**shared))
    paras = st.builds(
        lambda steps, rest: {"para": steps, **rest},
        lists,
        some(
            gather=st.just("dict"), max_parallel=st.integers(1, 9), fail=st.just("fast"), **shared
        ),
    )
    handled = st.builds(lambda step, steps: {**step, "on_error": steps}, inner, lists)
    return chains | paras | handled


steps = st.lists(st.recursive(tasks, groups, max_leaves=4), max_size=3)
inputs = st.dictionaries(
    st.sampled_from(["day", "no", "x1"]),
    some(
        type=st.sampled_from(["string", "int", "json"]), required=st.booleans(), default=values,
        description=texts, min=numbers | texts, max=texts, values=st.lists(values, max_size=3),
        pattern=texts, **{"from": st.sampled_from(["env:KEY", "file:~/a b", "prompt"])},
    ),
    max_size=3,
)  # fmt: skip


def numbered(plain: Any, count: Iterator[int]) -> Any:
    """The steps with ids of their own."""
    numbered_step = {"id": f"s{next(count)}", **plain}
    for name in ("chain", "para", "on_error"):
        if isinstance(numbered_step.get(name), list):
            numbered_step[name] = [numbered(each, count) for each in numbered_step[name]]
    return numbered_step


def built(header: dict[str, Any], first: list[Any], last: list[Any]) -> Document:
    count = iter(range(1000))
    parts = {"steps": [numbered(each, count) for each in first]}
    if last:
        parts["finally"] = [numbered(each, count) for each in last]
    return Document.model_validate({**header, **parts})


documents = st.builds(
    built,
    st.builds(
        lambda name, rest: {"name": name, **rest},
        names,
        some(
            description=texts, inputs=inputs, env=st.lists(st.just("HOME"), max_size=2),
            timeout=durations, defaults=some(friend=names, timeout=durations,
                                            retry=retries, on_timeout=times),
            concurrency=st.builds(lambda key: {"key": key, "limit": 2}, names),
        ),
    ),
    steps,
    steps,
)  # fmt: skip
