"""Writes docs/reliability.md: faults, bad inputs and threats, each with the tests that prove it.

The tests say themselves what they prove, by `pytest.mark.fault(n)` and `pytest.mark.bad_input(n)`.
The marks are read from the source, since importing every test module takes half a minute:

    python -m support.reliability
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"

sys.path.insert(0, str(TESTS))

from support.catalog import (  # noqa: E402  # started as a script, or imported as a file of its own
    BAD_INPUTS,
    FAULTS,
    LISTED_FILES,
    LISTING_SECONDS,
    OUT_OF_SCOPE,
    PENDING,
    PROMISES,
    THREATS,
    Entry,
)

KINDS = {"fault": FAULTS, "bad_input": BAD_INPUTS}

_INTRODUCTION = """\
What sequen-dagster promises, what could break it, and the test that shows that it does not. This
page is made from the marks that tests carry, by `make docs`; a test fails where it is not up
to date.\
"""

Mark = tuple[str, int]  # kind and number
Proofs = Mapping[str, Mapping[int, list[str]]]  # kind, number, names of tests


class MarkError(Exception):
    """A mark that proves nothing: of a number that is not there, or on no test."""


def proofs_of(sources: Mapping[str, str]) -> Proofs:
    """The tests that prove each number.

    Args:
        sources: source text by file name.

    Raises:
        MarkError: a mark of a number that is not in the catalog, or that no test carries.
    """
    proofs: dict[str, dict[int, list[str]]] = {kind: defaultdict(list) for kind in KINDS}
    for name in sorted(sources):
        for test, marks in _Module(name, ast.parse(sources[name])).tests():
            for kind, number in sorted(set(marks)):
                if number not in KINDS[kind]:
                    message = f"{name}::{test} proves {kind} {number}, which there is not."
                    raise MarkError(message)
                proofs[kind][number].append(f"{name}::{test}")
    return {kind: dict(numbers) for kind, numbers in proofs.items()}


@dataclass
class _Module:
    """One module of tests, whose marks are found a test each."""

    name: str
    tree: ast.Module
    aliases: dict[str, str] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.tree.body:
            target, value = _assigned(node)
            if value is not None:
                kind = self._kind(value)
                if kind:
                    self.aliases[target] = kind
                else:
                    self.constants[target] = value

    def tests(self) -> Iterator[tuple[str, list[Mark]]]:
        """Name and marks of every test that has any."""
        of_all = self._marks(self.constants.get("pytestmark"))
        found = [(name, [*of_all, *marks]) for name, marks in self._own_marks()]
        used = {mark for _, marks in found for mark in marks}
        lost = set(self._calls(self.tree)) - used
        if lost:
            message = f"{self.name}: no test carries the marks {sorted(lost)}."
            raise MarkError(message)
        return iter(sorted((name, marks) for name, marks in found if marks))

    def _own_marks(self) -> Iterator[tuple[str, list[Mark]]]:
        for node in self.tree.body:
            target, value = _assigned(node)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                yield node.name, self._decorated(node)
            elif isinstance(node, ast.ClassDef):
                own = self._decorated(node)
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test"):
                        yield f"{node.name}::{inner.name}", [*own, *self._decorated(inner)]
            elif value is not None and target.startswith("Test"):
                # What hypothesis makes of a state machine.
                yield target, self._marks(value)

    def _decorated(self, node: ast.FunctionDef | ast.ClassDef) -> list[Mark]:
        return [mark for decorator in node.decorator_list for mark in self._marks(decorator)]

    def _marks(self, node: ast.AST | None) -> list[Mark]:
        """The marks in an expression, and in the constants of the module that it names."""
        if node is None:
            return []
        marks = list(self._calls(node))
        for name in _names(node):
            if name in self.constants and self.constants[name] is not node:
                marks += self._marks(self.constants[name])
        return marks

    def _calls(self, node: ast.AST) -> Iterator[Mark]:
        for call in ast.walk(node):
            kind = self._kind(call.func) if isinstance(call, ast.Call) else ""
            if kind and isinstance(call, ast.Call):
                for argument in call.args:
                    if not (isinstance(argument, ast.Constant) and type(argument.value) is int):
                        message = f"{self.name}:{call.lineno}: numbers of marks are written out."
                        raise MarkError(message)
                    yield kind, argument.value

    def _kind(self, node: ast.expr) -> str:
        """The kind of mark that an expression stands for; empty where it is none."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, "")
        is_mark = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark"
        return node.attr if is_mark and node.attr in KINDS else ""


def _assigned(node: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target), node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return ast.unparse(node.targets[0]), node.value
    return "", None


def _names(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def names_of_tests(sources: Mapping[str, str]) -> set[str]:
    """Every test function of every module, as `file::test`."""
    return {
        f"{name}::{node.name}"
        for name, source in sources.items()
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    }


def sources_of_tests() -> dict[str, str]:
    """The source of every module of tests, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in TESTS.glob("test_*.py")}


def constant_of(sources: Mapping[str, str], name: str) -> int:
    """A whole number that one of the modules assigns to a name; 0 where none does."""
    for source in sources.values():
        for node in ast.parse(source).body:
            target, value = _assigned(node)
            if target == name and isinstance(value, ast.Constant) and type(value.value) is int:
                return value.value
    return 0


def render(proofs: Proofs) -> str:
    """The page."""
    promises = "\n".join(f"{place}. {text}" for place, text in enumerate(PROMISES, start=1))
    limits = "\n".join(f"* {text}" for text in OUT_OF_SCOPE)
    sections = [
        f"# Reliability\n\n{_INTRODUCTION}",
        f"## Promises\n\n{promises}",
        f"## In numbers\n\n{_numbers(proofs)}",
        f"## Faults\n\n{_table('fault', 'result', FAULTS, proofs['fault'])}",
        f"## Bad inputs\n\n{_table('input', 'result', BAD_INPUTS, proofs['bad_input'])}",
        f"## Threats\n\n{_threats()}",
        f"## Out of scope\n\n{limits}",
    ]
    return "\n\n".join(sections) + "\n"


def _numbers(proofs: Proofs) -> str:
    sources = sources_of_tests()
    tests = {test for numbers in proofs.values() for names in numbers.values() for test in names}
    lines = [
        f"{len(proofs['fault'])} of {len(FAULTS)} faults are tested",
        f"{len(proofs['bad_input'])} of {len(BAD_INPUTS)} bad inputs are tested",
        f"{len(tests)} tests do that",
    ]
    kills = {
        "random kills while files are taken in": constant_of(sources, "RANDOM_INGEST_KILLS"),
        "random kills of whole runs": constant_of(sources, "RANDOM_RUN_KILLS"),
    }
    lines += [f"{count} {what} are survived" for what, count in kills.items() if count]
    if LISTING_SECONDS is not None:
        lines.append(f"{LISTED_FILES:,} files are listed in {LISTING_SECONDS:.1f} s")
    return "\n".join(f"* {line}" for line in lines)


def _table(
    what: str, result: str, entries: Mapping[int, Entry], proofs: Mapping[int, list[str]]
) -> str:
    rows = [f"| # | {what} | {result} | shown by |", "|---:|---|---|---|"]
    for number, entry in entries.items():
        shown = [f"`tests/{test}`" for test in proofs.get(number, [])]
        is_pending = entries is FAULTS and number in PENDING
        notes = [entry.reason] if entry.reason else ["not yet"] if is_pending else []
        cells = (entry.what, entry.result or "-", "<br>".join([*shown, *notes]))
        rows.append(f"| {number} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _threats() -> str:
    rows = ["| threat | what we do | shown by |", "|---|---|---|"]
    for threat in THREATS:
        shown = "<br>".join(f"`tests/{test}`" for test in threat.tests) or "nothing to attack"
        rows.append(f"| {threat.what} | {threat.defense} | {shown} |")
    return "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(render(proofs_of(sources_of_tests())), encoding="utf-8")
