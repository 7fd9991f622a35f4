"""What the result of a dbt test says as an asset check."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest

from sequen_dagster.errors import BuildError
from sequen_dagster.marts.assets import _describe_checks
from sequen_dagster.marts.dbt_tests import BrokenRule, describe_test, read_broken_rules
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import SequenSettings
from support.graphs import graph_of
from support.homes import settings_of
from support.lake import home_of

NAME = "fct_sessions_rules"


def describe(name: str, broken: Sequence[BrokenRule] | None = (), *, passed: bool = False) -> str:
    return describe_test(name, "fct_sessions", is_passed=passed, broken=broken)


@pytest.fixture
def settings(tmp_path: Path) -> SequenSettings:
    """A home whose test has found two rules broken."""
    settings = settings_of(tmp_path)
    folder = home_of(settings).make().dbt.compiled / "sequen" / "models" / "_marts__models.yml"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.sql").write_text("select * from broken order by rule")
    with connect(settings) as warehouse:
        warehouse.execute("create table broken (rule varchar, broken_by bigint)")
        warehouse.execute("insert into broken values ('b is given', 2000), ('a is in x', 1)")
    return settings


def test_test_that_passes_says_of_which_table() -> None:
    assert describe(NAME, passed=True) == (
        "All rows of `fct_sessions` that were looked at keep the rules of the test "
        "`fct_sessions_rules`."
    )


def test_test_that_fails_names_the_rules_their_cases_and_what_to_do() -> None:
    broken = [BrokenRule("one row per session_key", 1), BrokenRule("visitor_key is given", 2000)]

    assert describe(NAME, broken) == (
        "Of the rows of `fct_sessions` that were looked at, some break 2 rules of the test "
        "`fct_sessions_rules`:\n\n"
        "- one row per session_key: broken by 1 case\n"
        "- visitor_key is given: broken by 2,000 cases\n\n"
        "`sequen-dagster run --full-refresh` builds all tables again. If the test fails after "
        "that, please report it with these rules."
    )


def test_test_of_the_settings_names_them() -> None:
    found = describe("completeness_rules", [BrokenRule("a detector has a number", 1)])

    assert found.endswith(
        "It looks at the attributes of completeness: correct what the settings `completeness` or "
        "`completeness_file` change of them, and run again."
    )


def test_test_that_was_not_run_names_the_log() -> None:
    assert describe(NAME, None) == (
        "The test `fct_sessions_rules` of `fct_sessions` could not be run: the log of the run says "
        "why. Run again."
    )


def test_broken_rules_are_read_by_the_query_that_dbt_has_sent(settings: SequenSettings) -> None:
    assert read_broken_rules(settings, NAME) == (
        BrokenRule("a is in x", 1),
        BrokenRule("b is given", 2000),
    )


def test_a_query_that_is_gone_is_an_error(settings: SequenSettings) -> None:
    with pytest.raises(BuildError, match="its query is gone from `dbt/`"):
        read_broken_rules(settings, "fct_events_rules")


@pytest.mark.parametrize("kind", [dg.AssetCheckResult, dg.AssetCheckEvaluation])
def test_results_of_dagster_dbt_are_described_and_failed_ones_last(
    settings: SequenSettings, kind: type[dg.AssetCheckResult]
) -> None:
    def check(name: str, **metadata: int) -> dg.AssetCheckResult:
        return kind(
            passed=name == "good",
            asset_key=dg.AssetKey("fct_sessions"),
            check_name=name,
            metadata=metadata,
        )

    def events() -> Iterator[object]:
        yield check(NAME, **{"dagster_dbt/failed_row_count": 2})
        yield check("broken_off")
        yield check("good", **{"dagster_dbt/failed_row_count": 0})
        yield "another"
        raise BuildError("dbt test failed.")

    described = _describe_checks(graph_of(settings), settings, events())
    found = [next(described) for _ in range(4)]

    assert found[1] == "another"
    checks = [found[0], *found[2:]]
    assert [(one.check_name, one.passed) for one in checks] == [
        ("good", True),
        (NAME, False),
        ("broken_off", False),
    ]
    assert [(one.description or "").partition("`")[0] for one in checks] == [
        "All rows of ",
        "Of the rows of ",
        "The test ",
    ]
    assert all(isinstance(one, kind) for one in checks)
    with pytest.raises(BuildError, match="dbt test failed"):
        next(described)
