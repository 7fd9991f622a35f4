"""Inputs as people really have them, each with what is right.

Every folder of `fixtures/field_cases` is a source of its own. What the contract says of them needs
no tables; what tables say of them is asked of one home that holds them all.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import duckdb
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.exports.files import list_sources
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.operations.validate import Validation, validate_sources
from sequen_dagster.settings import SequenSettings, Source, load_settings
from support.lake import drain, lake_of
from support.once import made_once

CASES = Path(__file__).parent / "fixtures" / "field_cases"
# Later than every event, so that clocks which run ahead are not refused for it.
RECEIVED_AT = 1_793_491_200  # 2026-11-01


class Right(NamedTuple):
    """What is right for a folder: records accepted, and quarantined by their rules."""

    accepted: int
    rules: Mapping[str, int] = MappingProxyType({})
    warnings: Mapping[str, int] = MappingProxyType({})


RIGHT = {
    "01-no-newline-between-objects/a": Right(5),
    "01-no-newline-between-objects/b": Right(9),
    "02-first-line-broken/banner": Right(6, {"malformed_json": 2}),
    "02-first-line-broken/envelopes": Right(7, {"malformed_json": 1}),
    "02-first-line-broken/arrays_control": Right(4),
    "03-documents-joined/arrays_pretty": Right(7),
    "03-documents-joined/arrays_plain": Right(7),
    "04-json-in-json": Right(5),
    "06-warehouse-times": Right(24),
    "07-ids-of-no-person": Right(52, warnings={"placeholder_id": 49}),
    "09-parquet-maps/map": Right(3),
    "09-parquet-maps/map_as_json": Right(3),
    "10-parquet-of-warehouses/array_text": Right(2, warnings={"coerced": 2}),
    "10-parquet-of-warehouses/array_text_jsonl": Right(2, warnings={"coerced": 2}),
    "10-parquet-of-warehouses/float_ids": Right(1, {"invalid_uid": 3}),
    "10-parquet-of-warehouses/float_ids_csv": Right(3, warnings={"coerced": 1}),
    "11-columns-in-folders": Right(6),
    "12-headers/none": Right(0, {"missing_header": 1}),
    "12-headers/none_tsv": Right(0, {"missing_header": 1}),
    "12-headers/comment": Right(0, {"missing_header": 1}),
    "12-headers/backslash": Right(0, {"malformed_csv": 4}),
    "12-headers/spaces": Right(4),
    "12-headers/null_words": Right(3),
    "13-joined-bytes": Right(4),
    "14-compression/zlib": Right(0, {"unsupported_format": 1}),
    "14-compression/snappy": Right(0, {"unsupported_format": 1}),
    "14-compression/brotli": Right(0, {"unsupported_format": 1}),
    "14-compression/zst_skippable_first": Right(1),
    "14-compression/bz2": Right(30),
    "16-zero-times": Right(6, warnings={"zero_time": 5}),
    "20-links-to-nothing": Right(5, {"missing_item_id": 2, "missing_item_ids": 1}),
    "33-tsv-quotes": Right(4),
}


def settings_of(home: Path, **sources: Path) -> SequenSettings:
    return load_settings(
        home,
        home=home / "home",
        sources=tuple(Source(name=name, exports=path) for name, path in sources.items()),
        workers=1,
    )


def validated(tmp_path: Path, case: str) -> Validation:
    return validate_sources(settings_of(tmp_path, default=CASES / case))


def by_rule(counts: Counter[tuple[str, str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for (_, rule), records in counts.items():
        total[rule] += records
    return dict(total)


def validate(case: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["validate", str(CASES / case), *options])


@pytest.mark.parametrize("case", RIGHT)
def test_records_are_read_and_validated_right(tmp_path: Path, case: str) -> None:
    right = RIGHT[case]

    outcome = validated(tmp_path, case)

    assert outcome.record_counts.accepted == right.accepted
    assert by_rule(outcome.errors) == right.rules
    assert right.warnings.items() <= by_rule(outcome.warnings).items()
    assert outcome.record_counts.is_reconciled


def test_names_that_begin_with_an_underscore_are_read(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "05-names-with-underscore")

    assert (outcome.files, outcome.record_counts.accepted) == (4, 7)
    assert outcome.record_counts.quarantined == 5
    assert outcome.hints == {"_airbyte_raw_events.jsonl": "airbyte_raw"}


def test_constant_ids_cost_no_event_and_reused_ones_are_reported(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, default=CASES / "08-event-ids-reused")
    rows = [row for batch in drain(settings).batches for row in batch.events]
    events = duckdb.connect().execute(
        "select id, source_file from read_parquet(?)",
        [[str(lake_of(settings).rows(row)) for row in rows]],
    )
    ids = Counter((file, name) for name, file in events.fetchall())

    assert len([name for file, name in ids if file == "undefined.jsonl"]) == 8
    assert all(name.startswith("evt_") for file, name in ids if file == "undefined.jsonl")
    assert len([name for file, name in ids if file == "counter.jsonl"]) == 4
    said = validate("08-event-ids-reused/counter.jsonl").output
    assert "66.7 %" in said
    assert "8 records, 4 ids" in said


@pytest.mark.parametrize("packing", ["zlib", "snappy", "brotli"])
def test_a_file_that_cannot_be_read_says_what_it_is(packing: str) -> None:
    assert f"The file is packed with {packing}" in validate(f"14-compression/{packing}").output


@pytest.mark.parametrize("case", ["12-headers/none", "12-headers/none_tsv"])
def test_a_missing_header_says_how_much_was_not_read(case: str) -> None:
    assert "4 lines" in validate(case).output


def test_delimited_text_is_recognized_without_its_name(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "12-headers/no_name")

    assert outcome.record_counts.accepted == 0
    assert set(outcome.hints.values()) == {"delimited_text"}


def test_quotes_escaped_by_a_backslash_are_hinted_at(tmp_path: Path) -> None:
    assert set(validated(tmp_path, "12-headers/backslash").hints.values()) == {"backslash_quotes"}


def test_a_separator_line_is_obeyed(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "12-headers/sep")

    assert (outcome.record_counts.quarantined, outcome.record_counts.accepted > 0) == (0, True)


@pytest.mark.parametrize("case", ["zst_frames", "zst_skippable", "gz_empty_member"])
def test_whole_packings_stay_whole(tmp_path: Path, case: str) -> None:
    outcome = validated(tmp_path, f"14-compression/{case}")

    assert (outcome.record_counts.quarantined, outcome.record_counts.accepted > 0) == (0, True)


def test_an_envelope_gives_what_its_events_lack(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "15-envelope-says-who/shared")

    assert outcome.record_counts.quarantined == 0
    assert (
        by_rule(outcome.warnings)["inherited_from_envelope"] == outcome.record_counts.accepted > 0
    )


VENDORS = {
    "amplitude#1.json.gz": "amplitude_export",
    "dynamodb.json": "dynamodb_export",
    "elasticdump.json": "elasticsearch_dump",
    "ga4.json": "ga4_export",
    "mixpanel.json": "mixpanel_export",
    "mongo.json": "mongodb_export",
    "posthog.jsonl": "posthog_export",
    "segment.json.gz": "segment_export",
}


def test_vendors_are_named(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "17-vendors")

    assert (outcome.record_counts.accepted, outcome.record_counts.quarantined) == (0, 24)
    assert outcome.hints == VENDORS


def test_papers_beside_the_data_are_passed_over_and_counted(tmp_path: Path) -> None:
    outcome = validated(tmp_path, "18-papers-beside-data")

    assert (outcome.record_counts.accepted, outcome.record_counts.quarantined) == (1, 1)
    assert outcome.hints == {"events/schema.json": "json_schema"}
    said = validate("18-papers-beside-data").output
    assert all(pattern in said for pattern in ("README*", "*manifest*.json", "*.sha256"))


def test_unusual_file_names_are_read_and_other_files_are_counted(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, default=CASES / "24-file-names")

    found = {file.path for file in list_sources(settings.sources)}
    assert len(found) == 14
    assert "events.part" not in found
    assert "*.part" in validate("24-file-names").output


TABLES = [
    "05-names-with-underscore",
    "07-ids-of-no-person",
    "08-event-ids-reused/counter.jsonl",
    "09-parquet-maps/map",
    "09-parquet-maps/map_as_json",
    "10-parquet-of-warehouses/float_ids_csv",
    "10-parquet-of-warehouses/upper",
    "15-envelope-says-who/mparticle",
    "17-vendors",
    "19-orders-twice",
    "20-links-to-nothing",
    "22-one-second",
    "23-sid-again",
    "25-where-values-lie/csv_false",
    "25-where-values-lie/flat",
    "25-where-values-lie/json_cells",
    "25-where-values-lie/json_false",
    "25-where-values-lie/nested",
    "25-where-values-lie/spelling",
    "25-where-values-lie/words",
    "26-one-event-ahead",
    "27-parquet-types",
]


def source_of(case: str) -> str:
    return "c" + case.split(".")[0].replace("-", "_").replace("/", "_")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The home of all cases that only tables can answer."""

    def make(folder: Path) -> None:
        shutil.copytree(CASES, folder / "cases")
        for path in (folder / "cases").rglob("*"):
            os.utime(path, (RECEIVED_AT, RECEIVED_AT))
        sources = {source_of(case): folder / "cases" / case for case in TABLES}
        assert run_pipeline(settings_of(folder, **sources)).is_success

    return made_once(tmp_path_factory, worker_id, "field_cases", make)


@pytest.fixture(scope="module")
def tables(built: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(built / "home" / "serving" / "sequen.duckdb", read_only=True) as snapshot:
        yield snapshot


def ask(tables: duckdb.DuckDBPyConnection, query: str, case: str) -> list[tuple[Any, ...]]:
    return tables.execute(query, [source_of(case)]).fetchall()


def report_of(built: Path) -> str:
    return (built / "home" / "serving" / "report.md").read_text(encoding="utf-8")


def hints_of(built: Path) -> set[str]:
    report = json.loads((built / "home" / "serving" / "report.json").read_text(encoding="utf-8"))
    return {hint["hint"] for hint in report["hints"]}


def coverage(tables: duckdb.DuckDBPyConnection, case: str) -> dict[str, float | None]:
    rows = ask(
        tables,
        "select attribute, coverage from rpt_completeness_attributes"
        " where source = ? and period = 'recent' and kind = 'field'",
        case,
    )
    return dict(rows)


@pytest.mark.slow
def test_people_whose_ids_mean_none_stay_apart(tables: duckdb.DuckDBPyConnection) -> None:
    keys = ask(
        tables,
        "select count(*), count(distinct visitor_key) from fct_events where source = ?",
        "07-ids-of-no-person",
    )
    alice = ask(
        tables,
        "select list(id) from fct_events where source = ? and visitor_key = 'uid:c7alice'",
        "07-ids-of-no-person",
    )

    assert keys == [(52, 52)]
    assert alice == [(["c7z1"],)]


@pytest.mark.slow
def test_ids_that_are_used_again_lose_and_are_counted(tables: duckdb.DuckDBPyConnection) -> None:
    rows = ask(
        tables,
        "select accepted, duplicate_records, conflicting_records from rpt_batches where source = ?",
        "08-event-ids-reused/counter.jsonl",
    )

    assert rows == [(12, 8, 8)]


@pytest.mark.slow
def test_maps_of_parquet_count_as_the_objects_of_json(tables: duckdb.DuckDBPyConnection) -> None:
    both = ask(
        tables,
        'select count(*) from fct_events where properties like \'%"platform":"ios"%\''
        " and source in (?, 'c09_parquet_maps_map_as_json')",
        "09-parquet-maps/map",
    )

    assert both == [(6,)]
    for case in ("09-parquet-maps/map", "09-parquet-maps/map_as_json"):
        assert coverage(tables, case)["device_type"] == 1
        assert coverage(tables, case)["locale/language"] == 1


@pytest.mark.slow
def test_an_order_sent_three_times_counts_once(tables: duckdb.DuckDBPyConnection) -> None:
    conversions = ask(
        tables,
        "select id, is_repeat, value::integer from fct_conversions where source = ? order by id",
        "19-orders-twice",
    )
    values = ask(
        tables,
        "select sum(conversion_value)::integer from fct_sessions"
        " where visitor_key = 'uid:c19' and ? is not null",
        "19-orders-twice",
    )

    assert conversions == [
        ("c19a", False, 100),
        ("c19b", True, 100),
        ("c19c", True, 100),
        ("c19d", False, -100),
    ]
    assert values == [(0,)]


@pytest.mark.slow
def test_links_to_nothing_link_nothing(tables: duckdb.DuckDBPyConnection) -> None:
    clicks = ask(
        tables,
        "select match_method, rec_id from fct_clicks where source = ?",
        "20-links-to-nothing",
    )

    assert clicks == [("none", None)]
    assert tables.execute(
        "select count(*) from fct_recommendations where rec_id = 'null'"
    ).fetchall() == [(0,)]


@pytest.mark.slow
def test_equal_times_are_ordered_by_id(tables: duckdb.DuckDBPyConnection) -> None:
    pages = tables.execute(
        "select entry_page_type, exit_page_type from fct_sessions where visitor_key = 'uid:c22'"
    ).fetchall()

    assert pages == [("checkout", "landing")]


@pytest.mark.slow
def test_a_session_id_over_six_days_is_one_session_and_is_counted(
    tables: duckdb.DuckDBPyConnection, built: Path
) -> None:
    sessions = tables.execute(
        "select sid, event_count from fct_sessions where visitor_key = 'uid:c23'"
    ).fetchall()

    long = tables.execute(
        "select count(*) from fct_sessions where duration_seconds > 86400"
    ).fetchall()[0][0]

    assert sessions == [("1", 7)]
    assert long > 0
    assert f", {long} longer than 24 hours" in report_of(built)


ATTRIBUTES = "page_id geolocation locale/language device_type logged_in referral_source"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "attributes"),
    [
        ("flat", ATTRIBUTES),
        ("nested", ATTRIBUTES),
        ("json_cells", "geolocation locale/language device_type"),
    ],
)
def test_values_are_found_where_they_lie(
    tables: duckdb.DuckDBPyConnection, case: str, attributes: str
) -> None:
    found = coverage(tables, f"25-where-values-lie/{case}")

    assert {name: found[name] for name in attributes.split()} == dict.fromkeys(
        attributes.split(), 1
    )


@pytest.mark.slow
def test_words_that_mean_none_are_not_carried(tables: duckdb.DuckDBPyConnection) -> None:
    found = coverage(tables, "25-where-values-lie/words")

    names = set(ATTRIBUTES.split())
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["csv_false", "json_false"])
def test_false_is_not_a_thing_that_happened(tables: duckdb.DuckDBPyConnection, case: str) -> None:
    rows = ask(
        tables,
        "select attribute, status from rpt_completeness_attributes where source = ?"
        " and period = 'recent' and attribute in"
        " ('email_campaign', 'push_notifications', 'partial_form_fills')",
        f"25-where-values-lie/{case}",
    )

    assert sorted(rows) == [
        ("email_campaign", "missing"),
        ("partial_form_fills", "missing"),
        ("push_notifications", "missing"),
    ]


@pytest.mark.slow
def test_spelling_does_not_hide_a_page_or_a_medium(tables: duckdb.DuckDBPyConnection) -> None:
    rows = ask(
        tables,
        "select attribute, applicable_events, carrying_events from rpt_completeness_attributes"
        " where source = ? and period = 'recent' and attribute in"
        " ('search_query', 'email_campaign') order by 1",
        "25-where-values-lie/spelling",
    )

    assert rows == [("email_campaign", 0, 3), ("search_query", 4, 4)]


@pytest.mark.slow
def test_one_event_ahead_of_its_time_does_not_move_the_period(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    rows = ask(
        tables,
        "select applicable_events, status from rpt_completeness_attributes"
        " where source = ? and period = 'recent' and attribute = 'locale/language'",
        "26-one-event-ahead",
    )
    warned = ask(
        tables,
        "select records from rpt_violations where source = ? and rule = 'ahead_of_ingest'",
        "26-one-event-ahead",
    )

    assert rows == [(40, "complete")]
    assert warned == [(1,)]


@pytest.mark.slow
def test_bytes_of_parquet_are_text_or_hex(tables: duckdb.DuckDBPyConnection) -> None:
    ids = ask(tables, "select id from fct_events where source = ? order by id", "27-parquet-types")

    assert ("AAAAAAAAAAAAAAAA",) in ids
    assert ("7ed4bffc-f189-40b0-9090-c58e1cba14b0",) in ids


@pytest.mark.slow
def test_report_says_what_files_look_like(built: Path) -> None:
    assert hints_of(built) >= {"airbyte_raw", *VENDORS.values()}
