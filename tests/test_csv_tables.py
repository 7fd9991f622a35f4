"""The report's lists as CSV: RFC 4180, and safe to open in a spreadsheet."""

import csv
import io
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.reports.csv_tables import defuse, list_tables, render_tables
from sequen_dagster.reports.document.report import Report

FORMULAS = (
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "a;=1",
    "a,@b",
    "a|-1+b",
    "\uff1d1",
    "x\n=1",
)


def render(**sections: list[dict[str, Any]]) -> dict[str, str]:
    return render_tables({**{name: [] for name in list_tables()}, **sections})


def test_every_list_of_the_report_is_a_table() -> None:
    tables = list_tables()

    assert {"tiers", "fixes", "readiness", "near_misses", "volumes", "files"} <= set(tables)
    assert "events" not in tables
    assert all(Report.model_fields[name].description for name in tables)


def test_list_without_rows_has_its_header() -> None:
    assert render()["funnel"] == (
        "step,step_number,session_count,share_of_first,share_of_previous\r\n"
    )


def test_rows_are_quoted_as_rfc_4180_asks() -> None:
    rows = [{"name": 'a "b", c', "count": 3}, {"name": "ü", "count": 0}]

    assert render(events_by_type=rows)["events_by_type"] == (
        'name,count\r\n"a ""b"", c",3\r\nü,0\r\n'
    )


def test_values_keep_their_digits_and_lists_become_text() -> None:
    fix = dict.fromkeys(list_tables()["fixes"].model_fields) | {
        "good_score": 0.9905105520684031,
        "example": {"type": "click"},
        "fixable_events": -7,
    }
    tier = dict.fromkeys(list_tables()["tiers"].model_fields) | {
        "is_reached": True,
        "blocking_attributes": ["a", "b"],
    }
    money = {"currency": "EUR", "conversions": 2, "value": "-138.140000"}
    tables = render(fixes=[fix], tiers=[tier], value_by_currency=[money])

    (row,) = csv.DictReader(io.StringIO(tables["fixes"]))
    assert (row["good_score"], row["fixable_events"]) == ("0.9905105520684031", "-7")
    assert (row["example"], row["why"]) == ('{"type": "click"}', "")
    (row,) = csv.DictReader(io.StringIO(tables["tiers"]))
    assert (row["is_reached"], row["blocking_attributes"]) == ("true", "a; b")
    assert tables["value_by_currency"].endswith("EUR,2,-138.140000\r\n")


@pytest.mark.bad_input(56)
@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula_in_any_cell_that_a_spreadsheet_may_cut(text: str) -> None:
    table = render(events_by_type=[{"name": text, "count": 1}])["events_by_type"]

    for delimiter in ",;|\t":
        for row in csv.reader(io.StringIO(table), delimiter=delimiter):
            assert not [cell for cell in row if is_formula(cell)], row
    assert table.count("\r\n") == 2


def is_formula(cell: str) -> bool:
    return cell.lstrip(' "\t\r\n')[:1] in tuple("=+-@\uff1d")


def test_plain_text_stays_as_it_is() -> None:
    for text in ("add-to-cart", "a=b", "x@y", "-12.50", "3", "2025-07-01", "", "a; b"):
        assert defuse(text) == text


def test_duckdb_reads_the_table(tmp_path: Path) -> None:
    rows = [{"name": "=1", "count": 3}, {"name": 'a "quoted", name', "count": 12}]
    path = tmp_path / "events_by_type.csv"
    path.write_text(render(events_by_type=rows)["events_by_type"], encoding="utf-8", newline="")

    with duckdb.connect() as connection:
        found = connection.execute("select * from read_csv(?)", [str(path)]).fetchall()

    assert found == [("'=1", 3), ('a "quoted", name', 12)]
