"""A home of the contract and the rules before: today's code opens it, says what is to be done, and
comes to the tables that it would have made itself.

The fixture was written by commit 0953b35: `sequen-dagster run` on its exports, of which the lake,
the ledger and the warehouse are kept.
"""

import tarfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.operations.doctor import examine_home
from sequen_dagster.settings import SequenSettings
from support.homes import settings_of

FORMER_TABLES = """
    select table_schema, table_name from information_schema.tables
    where table_name in ('rpt_silences', 'int_events_outranked') or table_name like '%touched%'
"""
FORMER = Path(__file__).resolve().parent / "fixtures" / "former_home.tar.xz"


def invoke(settings: SequenSettings, *arguments: str) -> Result:
    places = ["--home", str(settings.home), "--exports", str(settings.sources[0].exports)]
    return CliRunner().invoke(main, [*arguments, *places])


def told(result: Result) -> str:
    return " ".join(result.output.split())


def rows(settings: SequenSettings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.home / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(query).fetchall()


@pytest.mark.slow
def test_home_of_the_former_version_is_validated_again_and_refreshed(tmp_path: Path) -> None:
    with tarfile.open(FORMER) as archive:
        archive.extractall(tmp_path, filter="data")
    settings = settings_of(tmp_path)
    events = "select count(*), count(distinct visitor_key) from fct_events"
    requests = "select rec_id from fct_recommendations order by 1"
    assert rows(settings, events) == [(8, 2)]
    assert rows(settings, requests) == [("null",), ("r1",)]

    findings = [one.message for one in examine_home(settings) if one.area == "lake"]
    again = invoke(settings, "replay", "--stale")
    proof = CliRunner().invoke(main, ["verify", "--home", str(settings.home)])

    stale = "2 batches validated by another contract ('day1.jsonl', 'day2.jsonl')."
    assert f"{stale} `sequen-dagster replay --stale` validates them again." in findings
    assert again.exit_code == 0, again.output
    assert "2 batches validated again" in told(again)
    reason = "the settings or the rules of the marts are others than those of the last build"
    assert f"full refresh: {reason}" in told(again)
    # Tables of the release before are not left behind, with what they hold of people.
    assert rows(settings, FORMER_TABLES) == []
    # A zone of PostgreSQL and a zero time were invalid, a word was a user and another a request.
    assert rows(settings, events) == [(10, 2)]
    assert rows(settings, requests) == [("r1",)]
    repeats = rows(settings, "select is_repeat, value from fct_conversions order by all")
    assert [(is_repeat, str(value)) for is_repeat, value in repeats] == [
        (False, "12.500000"),
        (True, "12.500000"),
    ]
    assert (proof.exit_code, proof.output.endswith("tables equal (2 commits)\n")) == (0, True)
