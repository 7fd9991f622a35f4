"""Compat: dbt's work for a node without what takes long and is not needed here.

Reason: dbt parses the SQL of a model as a whole to put that of ephemeral models in front of it,
writes two files of SQL for every node, and compiles each plain text that a test is given as a
template: together a third of its work for a small batch. Compiled SQL is in `manifest.json` as
well. If the functions have other names, the test fails, and builds get slower, not wrong.
Upstream: dbt-core 1.11.16, `inject_ctes_into_sql`, `ParsedNode.write_node` and `_render_cache`.
Test: tests/test_compat.py::test_ephemeral_models_get_into_sql_as_dbt_puts_them_there
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from dbt import compilation
from dbt.artifacts.resources.v1.components import InjectedCTE
from dbt.clients import jinja
from dbt.contracts.graph.nodes import ParsedNode

_inject = compilation.inject_ctes_into_sql
_write_node = ParsedNode.write_node
_render_cache = jinja._render_cache  # noqa: SLF001
# Comments may stand before the first word.
_FIRST_WORDS: Final = re.compile(
    r"(?P<head>(?:\s|--[^\n]*\n|/\*.*?\*/)*)(?P<with>with\s(?!\s*recursive\b))?",
    re.IGNORECASE | re.DOTALL,
)


class _AsItIs(dict[str, Any]):
    """What plain texts are rendered to: to themselves. dbt looks here only for such."""

    def __contains__(self, text: object) -> bool:
        return True

    def __missing__(self, text: str) -> str:
        return text


@contextmanager
def quick_nodes() -> Iterator[None]:
    """Around a call of dbt, of which there is one at a time in a process."""
    # mypy: dbt types neither as what may be replaced.
    compilation.inject_ctes_into_sql = inject_ctes
    jinja._render_cache = _AsItIs()  # noqa: SLF001
    ParsedNode.write_node = _write_tests  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        compilation.inject_ctes_into_sql = _inject
        jinja._render_cache = _render_cache  # noqa: SLF001
        ParsedNode.write_node = _write_node  # type: ignore[method-assign]


def inject_ctes(sql: str, ctes: Sequence[InjectedCTE]) -> str:
    """Put queries in front of a statement, as its first common table expressions."""
    if not ctes:
        return sql
    injected = ", ".join(cte.sql for cte in ctes)
    found = _FIRST_WORDS.match(sql)
    assert found is not None  # noqa: S101  # it matches the empty text
    rest = sql[found.end() :]
    if re.match(r"with\b", rest, re.IGNORECASE):
        # Recursive: none of our models is.
        return str(_inject(sql, list(ctes)))
    comma = ", " if found["with"] else " "
    return f"{found['head']}with {injected}{comma}{rest}"


def _write_tests(node: ParsedNode, *written: Any) -> None:  # Any: dbt's own arguments
    """Write the SQL of tests alone, from which it is read which of their rules are broken."""
    if node.resource_type == "test":
        _write_node(node, *written)
