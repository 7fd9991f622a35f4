"""What files look like whose records fail together: each hint of the closed table, and none."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA, Split
from sequen_dagster.contract.hints import HINTS, HintFinder, describe_hint
from sequen_dagster.operations.validate import validate_sources
from support.builders import event
from support.homes import settings_of, write_text
from support.lake import drain

TIME = "2025-03-01T10:00:00Z"
GA4 = {
    "event_date": "20250301",
    "event_timestamp": "1740823200123456",
    "event_name": "page_view",
    "event_params": [{"key": "ga_session_id", "value": {"int_value": "1740823200"}}],
    "user_pseudo_id": "1.2",
}
SEGMENT = {
    "type": "track",
    "event": "Product Viewed",
    "messageId": "m0",
    "anonymousId": "a1",
    "receivedAt": TIME,
    "properties": {"product_id": "p1"},
}
RECORDS: dict[str, list[Any]] = {
    "ga4_export": [GA4],
    "segment_export": [
        SEGMENT,
        {"id": "1", "anonymous_id": "a", "received_at": TIME, "sent_at": TIME},
    ],
    "amplitude_export": [
        {"event_type": "page_view", "event_time": TIME, "uuid": "a", "server_upload_time": TIME},
        {"event_type": "page_view", "event_time": TIME, "$insert_id": "a"},
    ],
    "posthog_export": [{"uuid": "p", "event": "$pageview", "distinct_id": "d", "timestamp": TIME}],
    "mixpanel_export": [{"event": "x", "properties": {"time": 1740823200, "distinct_id": "d1"}}],
    "snowplow_enriched": [{"event_id": "e", "collector_tstamp": TIME, "domain_userid": "d"}],
    "algolia_insights": [{"eventType": "click", "userToken": "u", "index": "products"}],
    "mparticle_batch": [
        {
            "mpid": "-1",
            "events": [{"event_type": "screen_view", "data": {"timestamp_unixtime_ms": 1}}],
        }
    ],
    "airbyte_raw": [{"_airbyte_ab_id": "x", "_airbyte_data": event()}],
    "dynamodb_export": [{"Item": {"id": {"S": "e1"}, "type": {"S": "page_view"}}}],
    "elasticsearch_dump": [{"_index": "events", "_id": "x", "_source": event()}],
    "mongodb_export": [
        event(original_timestamp={"$date": TIME}),
        {"_id": {"$oid": "65"}, "type": "scroll"},
    ],
    "change_stream": [
        {"before": None, "after": event(), "op": "c"},
        {"payload": {"before": None, "after": event()}, "schema": {}},
    ],
    "cloud_event": [{"specversion": "1.0", "id": "x", "data": event()}],
    "manifest": [{"files": ["a.jsonl"]}, {"dataFileS3Key": "part-0", "itemCount": 1}],
    "json_schema": [{"$schema": "x", "title": "event"}],
    "wrapped_event": [{"body": event()}],
    "float_ids": [event(uid=1001.5)],
}
LINES = {
    "web_page": "<!DOCTYPE html>\n",
    "delimited_text": "id,type,uid\ne1,page_view,u1\ne2,page_view,u1\n",
    "snowplow_enriched": "\t".join(["shop"] * 131) + "\n",
}


def hint_of(tmp_path: Path, name: str, text: str) -> str:
    settings = settings_of(tmp_path)
    write_text(settings, name, text)

    return validate_sources(settings).hints.get(name, "")


@pytest.mark.parametrize("code", RECORDS)
def test_records_of_another_form_are_recognized(tmp_path: Path, code: str) -> None:
    for record in RECORDS[code]:
        hint = hint_of(tmp_path, "a.jsonl", f"{json.dumps(record)}\n" * 3)

        assert hint.partition(":")[0] == code


@pytest.mark.parametrize("code", LINES)
def test_lines_that_are_not_json_are_recognized(tmp_path: Path, code: str) -> None:
    assert hint_of(tmp_path, "export", LINES[code]) == code


def test_quotes_escaped_by_a_backslash_are_recognized(tmp_path: Path) -> None:
    row = f'e1,page_view,{TIME},u1,home,"say \\"hi\\""\n'
    header = "id,type,original_timestamp,uid,page_type,title\n"

    assert hint_of(tmp_path, "a.csv", header + 3 * row) == "backslash_quotes"


def test_every_hint_of_the_table_is_shown() -> None:
    shown = {*RECORDS, *LINES, "backslash_quotes"}

    assert {hint.code for hint in HINTS} == shown


def test_the_key_that_holds_the_event_is_named(tmp_path: Path) -> None:
    hint = hint_of(tmp_path, "a.jsonl", json.dumps({"body": event()}))

    assert hint == "wrapped_event:body"
    assert "('body')" in describe_hint(hint)


@pytest.mark.parametrize(("accepted", "hint"), [(2, "ga4_export"), (3, "")])
def test_a_hint_needs_half_of_the_records_to_fail(tmp_path: Path, accepted: int, hint: str) -> None:
    lines = [json.dumps(GA4)] * 2 + [json.dumps(event(id=f"e{n}")) for n in range(accepted)]

    assert hint_of(tmp_path, "a.jsonl", "\n".join(lines)) == hint


def test_records_that_fail_for_reasons_of_their_own_get_no_hint(tmp_path: Path) -> None:
    broken = [event(page_type=...), event(uid=...), {"type": "click"}]

    assert hint_of(tmp_path, "a.jsonl", "\n".join(map(json.dumps, broken))) == ""


def test_validate_names_the_file_and_what_helps(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    folder = settings.sources[0].exports
    (folder / "ga4.json.gz").write_bytes(gzip.compress(json.dumps(GA4).encode()))

    outcome = validate_sources(settings)

    assert outcome.as_json()["hints"] == [
        {"path": "ga4.json.gz", "hint": "ga4_export", "text": describe_hint("ga4_export")}
    ]


def test_hints_are_kept_in_the_commit(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "a.jsonl", json.dumps({"body": event()}))

    assert [batch.hint for batch in drain(settings).batches] == ["wrapped_event:body"]


def test_the_page_of_hints_names_each() -> None:
    page = (Path(__file__).parents[1] / "docs" / "hints.md").read_text(encoding="utf-8")

    assert {hint.code for hint in HINTS} <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_records_whose_text_was_dropped_say_nothing() -> None:
    quarantined = (
        QUARANTINED_SCHEMA.to_frame()
        .clear(1)
        .with_columns(pl.Series("rules", [["malformed_json"]], pl.List(pl.String)))
    )
    finder = HintFinder()

    finder.add(Split(ACCEPTED_SCHEMA.to_frame(), quarantined, Counter(), Counter()))

    assert finder.hint(records_read=1) == ""
