"""What the report shows of names that others chose."""

from typing import Any

import duckdb

from sequen_dagster.reports.queries import LISTS


def section(name: str, table: str, columns: str, rows: list[tuple[Any, ...]]) -> list[Any]:
    with duckdb.connect() as connection:
        connection.execute(f"create table {table} ({columns})")
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into {table} values ({marks})", rows)
        return connection.execute(LISTS[name]).fetchall()


def test_types_beyond_the_first_fifty_are_counted_together() -> None:
    types = [("scroll",)] * 3 + [(f"t{number:03}",) for number in range(80)]

    shown = section("events_by_type", "fct_events", "type varchar", types)

    assert shown[:2] == [("scroll", 3), ("t000", 1)]
    assert shown[-2:] == [("t048", 1), ("(other)", 31)]
    assert len(shown) == 51


def test_types_that_fit_are_all_shown() -> None:
    shown = section("events_by_type", "fct_events", "type varchar", [("a",), ("b",), ("b",)])

    assert shown == [("b", 2), ("a", 1)]


def test_what_is_not_a_code_of_a_currency_is_not_shown() -> None:
    columns = "value decimal(38, 6), currency varchar, is_repeat boolean"
    values = [(1, "EUR"), (2, "EUR"), (3, None), (4, "jo@example.com"), (5, "EURO"), (None, "USD")]
    repeats = [(7, "EUR", True), (None, "EUR", True), (8, "EURO", True)]
    rows = [*((*row, False) for row in values), *repeats]

    shown = section("value_by_currency", "fct_conversions", columns, rows)
    left_out = section("repeated_value_by_currency", "fct_conversions", columns, rows)

    assert shown == [("(other)", 2, None), ("EUR", 2, "3.000000"), ("", 1, "3.000000")]
    assert left_out == [("(other)", 1, None), ("EUR", 1, "7.000000")]
