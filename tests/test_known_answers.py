"""The four real sets, through the whole pipeline, against answers worked out by other means."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.operations.run import RunOutcome, run_pipeline
from sequen_dagster.settings import SequenSettings, load_settings
from support.coverage_by_hand import accepted_of, by_hand, reported


@dataclass(frozen=True)
class Answers:
    """What is right for a set."""

    accepted: int
    quarantined: dict[str, int]
    sessions: int
    clicks: dict[str, int] = field(default_factory=dict)
    conversions: int = 0
    units: dict[str, int] = field(default_factory=dict)
    touches: int = 0


ANSWERS = {
    "ecommerce": Answers(
        accepted=1_021,
        quarantined={"missing_identity": 11, "missing_item_id": 1},
        sessions=63,
        clicks={"window": 34, "page_view_id": 28, "none": 23},
        conversions=13,
        units={"click": 16},
        touches=47,
    ),
    "two_batch": Answers(accepted=9, quarantined={}, sessions=5),
    "ebnerd_test": Answers(
        accepted=37_894, quarantined={}, sessions=2_505, clicks={"impression_id": 1_047}
    ),
    "online_retail": Answers(
        accepted=22_190,
        quarantined={"missing_identity": 3_710},
        sessions=19_969,
        conversions=22_190,
        units={"none": 396_681},
    ),
}


Ran = Callable[[str], tuple[SequenSettings, RunOutcome]]


@pytest.fixture(scope="module")
def first_run(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Runs the pipeline on a set, once."""

    @cache
    def run(name: str) -> tuple[SequenSettings, RunOutcome]:
        folder = tmp_path_factory.mktemp(name)
        settings = load_settings(folder, home="home", exports=test_data / name)
        return settings, run_pipeline(settings)

    return run


def check(settings: SequenSettings, outcome: RunOutcome, answers: Answers) -> None:
    assert outcome.failures == ()
    assert outcome.failed_checks == ()
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:

        def one(query: str) -> Any:
            row = snapshot.execute(query).fetchone()
            return row[0] if row else None

        def counts(query: str) -> dict[str, int]:
            return dict(snapshot.execute(query).fetchall())

        assert one("select count(*) from fct_events") == answers.accepted
        assert one("select count(*) from fct_sessions") == answers.sessions
        assert one("select sum(event_count) from fct_sessions") == answers.accepted
        assert (
            counts(
                "select rule, sum(records)::bigint from rpt_violations"
                " where severity = 'error' group by 1"
            )
            == answers.quarantined
        )
        assert counts("select match_method, count(*) from fct_clicks group by 1") == answers.clicks
        assert one("select count(*) from fct_conversions") == answers.conversions
        assert (
            counts(
                "select basis, count(distinct (conversion_id, item_id)) from fct_attributions"
                " group by 1"
            )
            == answers.units
        )
        assert one("select count(*) from fct_attributions where touch_id <> ''") == answers.touches
        record_counts = snapshot.execute(
            "select sum(records_read), sum(accepted), sum(quarantined) from rpt_batches"
        ).fetchone()
    assert record_counts is not None
    assert record_counts[0] == record_counts[1] + record_counts[2]
    assert record_counts[1] == answers.accepted


def check_coverage(settings: SequenSettings, outcome: RunOutcome, files: Path) -> None:
    """What the report and its tables say is what the files say, counted by hand."""
    counts = by_hand(accepted_of(files))
    assert reported(outcome.summary, counts) == counts
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        measured = snapshot.execute(
            "select attribute, coverage from rpt_completeness_attributes"
            " where source = 'default' and period = 'recent' and applicable_events > 0"
        ).fetchall()
    for attribute, coverage in measured:
        if attribute in counts:
            applicable, carrying = counts[attribute]
            assert coverage == carrying / applicable


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_sets_give_the_known_answers(test_data: Path, name: str, first_run: Ran) -> None:
    settings, outcome = first_run(name)

    check(settings, outcome, ANSWERS[name])
    check_coverage(settings, outcome, test_data / name)


@pytest.mark.slow
def test_running_again_changes_nothing(first_run: Ran) -> None:
    settings, first = first_run("two_batch")
    second = run_pipeline(settings)

    assert (first.new_files, second.new_files) == (2, 0)
    assert {**second.summary, "made": None} == {**first.summary, "made": None}
