"""Stands in for dbt's `adapter` while sqlfluff renders the models: always DuckDB."""

from collections.abc import Callable

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, macro: str, package: str) -> Callable[..., str]:
    """The macro that DuckDB would get, or the default one."""
    return context.resolve(f"{package}__{macro}") or context.resolve(f"duckdb__{macro}")
