"""Marts: a table beside the same table of another database, row by row and column by column.

In: two tables and their key. Out: how many rows differ, in which columns, and some of the keys.
"""

from dataclasses import dataclass, field
from typing import Final

import duckdb

# History: a full refresh does not repeat it.
HISTORY_COLUMNS: Final = frozenset({"registered_at", "committed_at", "run_id"})
_SHOWN_KEYS: Final = 5


@dataclass(frozen=True)
class Difference:
    """How a table differs from what a full refresh makes of the same commits.

    Attributes:
        table: its name.
        missing: rows that a full refresh has and the table has not.
        unexpected: rows that only the table has.
        changed: rows whose key both have, with other values.
        repeated: rows whose key an earlier row has already, on either side.
        columns: the columns whose values differ; or, where no rows are counted, those that are
            not of the same name and type on both sides.
        keys: keys of some of the rows. For a person's eyes: keep them out of logs.
    """

    table: str
    missing: int = 0
    unexpected: int = 0
    changed: int = 0
    repeated: int = 0
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = field(default=(), repr=False)


def describe_difference(difference: Difference) -> str:
    """Say how a table differs, without keys.

    Example:
        >>> describe_difference(Difference("fct_events", missing=2, changed=1, columns=("rank",)))
        'fct_events: 2 missing, 1 changed in rank'
    """
    counts = [
        f"{count:,} {kind}"
        for kind, count in (
            ("missing", difference.missing),
            ("unexpected", difference.unexpected),
            ("changed", difference.changed),
            ("repeated", difference.repeated),
        )
        if count
    ]
    where = f" in {', '.join(difference.columns)}" if difference.columns else ""
    return f"{difference.table}: {', '.join(counts) or 'other columns'}{where}"


def compare(
    expected: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...]
) -> Difference | None:
    """Compare a table in schema `main` with that of the attached database `actual`.

    Rows belong together by their key; then every column has to be equal (`=`, and null is equal
    to null), except `HISTORY_COLUMNS`.

    Args:
        expected: a connection to what the table should be.
        table: its name.
        key: the columns that identify a row; all columns where there are none.

    Returns:
        How they differ, or None where they are equal.
    """
    wanted, found = _columns(expected, "expected", table), _columns(expected, "actual", table)
    if not wanted or not found:
        count = expected.execute(f"select count(*) from {_place(table, bool(found))}").fetchone()  # noqa: S608  # our own names
        rows = count[0] if count else 0
        return Difference(table, unexpected=rows) if found else Difference(table, missing=rows)
    if set(wanted.items()) != set(found.items()):
        names = dict.fromkeys(name for name, _ in sorted(wanted.items() ^ found.items()))
        return Difference(table, columns=tuple(names))
    key = key or tuple(wanted)
    values = [name for name in wanted if name not in key]
    _note_differences(expected, table, key, values)
    return _difference(expected, table, key, values)


def _place(table: str, is_actual: bool) -> str:
    return f'actual.main."{table}"' if is_actual else f'main."{table}"'


def _columns(expected: duckdb.DuckDBPyConnection, side: str, table: str) -> dict[str, str]:
    rows = expected.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'main'"
        " and table_name = ? and (database_name = 'actual') = ? order by column_index",
        [table, side == "actual"],
    ).fetchall()
    return {name: kind for name, kind in rows if name not in HISTORY_COLUMNS}


def _note_differences(
    expected: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], values: list[str]
) -> None:
    """Note the rows that differ in `_rows`: key, which side lacks it, and which columns differ."""
    # A join by the key decides column by column and stays in the engine's memory limit;
    # `except all` over whole rows gives the same and takes ten times as long.
    parts = [
        *(f'coalesce(actual."{name}", expected."{name}") as "key {name}"' for name in key),
        "actual._is_there is null as _is_missing",
        "expected._is_there is null as _is_unexpected",
        *(f'actual."{name}" is distinct from expected."{name}" as "{name}"' for name in values),
    ]
    same_key = " and ".join(
        f'actual."{name}" is not distinct from expected."{name}"' for name in key
    )
    differs = " or ".join(["_is_missing", "_is_unexpected", *(f'"{name}"' for name in values)])
    expected.execute(
        "create or replace temp table _rows as select * from ("  # noqa: S608  # our own names
        f" select {', '.join(parts)}"
        f" from (select *, true as _is_there from {_place(table, True)}) as actual"
        f" full join (select *, true as _is_there from {_place(table, False)}) as expected"
        f" on {same_key}) where {differs}"
    )


def _difference(
    expected: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], values: list[str]
) -> Difference | None:
    counts = expected.execute(
        "select count(*) filter (where _is_missing), count(*) filter (where _is_unexpected),"
        " count(*) filter (where not _is_missing and not _is_unexpected) from _rows"
    ).fetchone()
    missing, unexpected, changed = counts or (0, 0, 0)
    places = (_place(table, True), _place(table, False))
    repeated = sum(_repeated(expected, place, key) for place in places)
    if not (missing or unexpected or changed or repeated):
        return None
    flags = ", ".join(f'coalesce(bool_or("{name}"), false)' for name in values) or "false"
    differing = expected.execute(
        f"select {flags} from _rows where not _is_missing and not _is_unexpected"  # noqa: S608
    ).fetchone()
    names = ", ".join(f'"key {name}"' for name in key)
    shown = expected.execute(
        "select case when _is_missing then 'missing' when _is_unexpected then 'unexpected'"  # noqa: S608
        f" else 'changed' end, {names} from _rows order by all limit {_SHOWN_KEYS}"
    ).fetchall()
    return Difference(
        table,
        missing,
        unexpected,
        changed,
        repeated,
        tuple(name for name, flag in zip(values, differing or (), strict=False) if flag),
        tuple(
            f"{kind} {', '.join(f'{n}={v!r}' for n, v in zip(key, row, strict=True))}"
            for kind, *row in shown
        ),
    )


def _repeated(expected: duckdb.DuckDBPyConnection, place: str, key: tuple[str, ...]) -> int:
    names = ", ".join(f'"{name}"' for name in key)
    found = expected.execute(
        f"select (select count(*) from {place})"  # noqa: S608  # our own names
        f" - (select count(*) from (select distinct {names} from {place}))"
    ).fetchone()
    return int(found[0]) if found else 0
