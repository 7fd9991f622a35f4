"""Reports: rows of a query, by the names of their columns."""

from collections.abc import Sequence
from typing import Any

import duckdb


def read_rows(
    snapshot: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()
) -> list[dict[str, Any]]:  # Any: values of any type
    """The rows of a query, each by the names of its columns."""
    result = snapshot.execute(query, list(parameters))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
