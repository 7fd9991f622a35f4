"""What the result of a dbt test says as an asset check."""

import pytest
from dagster import AssetCheckResult, AssetKey

from sequen_dagster.marts.assets import _with_description
from sequen_dagster.marts.dbt_tests import describe_test


def describe(name: str, *, passed: bool, failed_row_count: int | None = None) -> str:
    return describe_test(name, "fct_sessions", is_passed=passed, failed_rows=failed_row_count)


def test_test_that_passes_says_of_which_table() -> None:
    assert describe("counts_add_up", passed=True, failed_row_count=0) == (
        "No row of `fct_sessions` that was looked at fails the test `counts_add_up` of dbt."
    )


@pytest.mark.parametrize(
    ("rows", "fail"),
    [(1, "1 row of `fct_sessions` fails"), (2000, "2,000 rows of `fct_sessions` fail")],
)
def test_test_that_fails_says_rows_and_what_to_do(rows: int, fail: str) -> None:
    assert describe("counts_add_up", passed=False, failed_row_count=rows) == (
        f"{fail} the test `counts_add_up` of dbt. `sequen-dagster run --full-refresh` builds all "
        "tables again. If the test fails after that, please report it with this name. `dbt test "
        "--select counts_add_up --store-failures` keeps the rows (README of the dbt project: Call "
        "dbt yourself)."
    )


def test_test_of_the_settings_names_them() -> None:
    assert describe("completeness_scopes_are_legal", passed=False, failed_row_count=1) == (
        "1 row of `fct_sessions` fails the test `completeness_scopes_are_legal` of dbt. It looks "
        "at the attributes of completeness: correct what the settings `completeness` or "
        "`completeness_file` change of them, and run again."
    )


def test_test_that_was_not_run_names_the_log() -> None:
    assert describe("counts_add_up", passed=False) == (
        "The test `counts_add_up` of `fct_sessions` could not be run: the log of the run says why, "
        "or `dbt/` of the home. Run again."
    )


def test_results_of_dagster_dbt_are_described() -> None:
    found = AssetCheckResult(
        asset_key=AssetKey("fct_sessions"),
        check_name="counts_add_up",
        passed=False,
        metadata={"dagster_dbt/failed_row_count": 3, "unique_id": "test.sequen.counts_add_up"},
    )

    described = _with_description(found)

    assert (described.passed, described.metadata) == (False, found.metadata)
    assert (described.description or "").startswith("3 rows of `fct_sessions` fail the test ")
