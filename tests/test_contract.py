"""The contract: rules, values, identity of events, record counts; each by exact values."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sequen_dagster.contract import (
    ACCEPTED_SCHEMA,
    QUARANTINED_SCHEMA,
    EventContract,
    Origin,
    unreadable_file,
)
from sequen_dagster.exports.records import RecordChunk
from sequen_dagster.fields import FIELDS, IDENTITY_FIELDS, Field, mandatory_pairs
from sequen_dagster.settings import SequenSettings
from support.builders import (
    MANDATORY,
    RECEIVED_AT,
    accepted,
    event,
    rules_of,
    validate_chunks,
    validate_event,
    validate_texts,
)

IMPRESSION = {
    "id": "evt_c9f3c",
    "type": "impression",
    "original_timestamp": "2025-07-14T09:15:22.401Z",
    "uid": "u_4432",
    "page_view_id": "evt_c9f38",
    "module_view_id": "evt_c9f39",
    "item_id": "sku_99201",
    "rank": 3,
    "rec_id": "rec_0ujsswThIGTUYm2K8FjOOfXtY1K",
    "traffic_source": "seo",
    "seen_above_fold": True,
    "device_info": {"platform": "ios", "version": "17.2", "model": "iPhone 15"},
}
CONVERSION = """{"id": "evt_d0a11", "type": "conversion",
"original_timestamp": "2025-07-14T09:17:48.009Z", "uid": "u_4432", "conversion_type": "purchase",
"item_ids": ["sku_99201", "sku_88211"], "order_total": 699.98, "currency": "USD",
"payment_method": "apple_pay",
"shipping_address": {"country": "US", "state": "CA", "postal_code": "94102"}}"""
VIDEO_PAUSE = {
    "id": "evt_cb002",
    "type": "video_pause",
    "original_timestamp": "2025-07-14T09:18:21Z",
    "uid": "u_4432",
    "item_id": "video_128",
    "current_time_sec": 212,
    "reason": "user_click",
}
CLICK = {
    "type": "click",
    "original_timestamp": "2025-07-14T09:15:24.000Z",
    "uid": "u_4432",
    "impression_id": "evt_c9f3c",
    "item_id": "sku_99201",
    "click_type": "add_to_cart",
}
WRONG: dict[str, list[Any]] = {
    "string": [1.5, True, {}, {"a": 1}, ["a"], "a\0b", "\ud800"],
    "type": [1, 1.5, True, {}, ["a"], "a\0b", "\ud800"],
    "id": [1.5, True, {}, {"a": 1}, ["a"], "a\0b", "\ud800"],
    "identity": [1.5, 0.0, {}, ["a"], "a\0b", "\udfff"],
    "timestamp": [True, {}, ["2025-07-14"], "soon", -1, "2025-W29-1", "20250714"],
    "rank": [3.5, "x", True, {}, [3], -1, 2_147_483_648, "-1", "1e2", " 3"],
    "dwell": ["x", True, {}, [3], -1, 10**15, "-1", "1e2", "1,5"],
    "item_ids": [
        "a",
        '["a"',
        '{"a":1}',
        '[""]',
        '"[]"',
        7,
        {},
        True,
        [""],
        [" "],
        [None],
        [1.5],
        [True],
        [["a"]],
        ["a\0"],
        [{}],
    ],
}


def test_examples_of_the_event_document_are_accepted() -> None:
    verdict = validate_texts(
        json.dumps(IMPRESSION), CONVERSION, json.dumps(VIDEO_PAUSE), json.dumps(CLICK)
    )

    impression, conversion, pause, click = verdict.accepted
    assert verdict.warnings == {}
    assert impression["original_timestamp"] == datetime(2025, 7, 14, 9, 15, 22, 401000)
    assert json.loads(impression["properties"]) == {
        name: IMPRESSION[name] for name in ("traffic_source", "seen_above_fold", "device_info")
    }
    assert impression["property_shape"] == (
        '[["device_info","object"],["device_info.model","string"],'
        '["device_info.platform","string"],["device_info.version","string"],'
        '["seen_above_fold","boolean"],["traffic_source","string"]]'
    )
    assert conversion["item_ids"] == ["sku_99201", "sku_88211"]
    assert '"order_total":699.98,' in conversion["properties"]
    assert (pause["type"], pause["item_id"]) == ("video_pause", "video_128")
    assert click["id"].startswith("evt_")
    assert len(click["id"]) == 36


def test_row_has_the_columns_of_its_schema() -> None:
    split = next(EventContract().validate_chunks(iter([RecordChunk()]), Origin()))

    assert (split.accepted.schema, split.quarantined.schema) == (
        ACCEPTED_SCHEMA,
        QUARANTINED_SCHEMA,
    )


@pytest.mark.parametrize(("event_type", "field"), mandatory_pairs())
def test_absent_mandatory_field_gives_its_rule_alone(event_type: str, field: str) -> None:
    absent = [event(event_type, **{field: value}) for value in (..., None, "", " \u3000", [])]
    verdict = validate_texts(*map(json.dumps, [event(event_type), *absent]))

    assert verdict.places == [(1, 1)]
    assert verdict.rules == [[f"missing_{field}"]] * 5


@pytest.mark.parametrize("field", ["type", "original_timestamp"])
@pytest.mark.parametrize("value", [..., None, "", "\t"])
def test_absent_general_field_gives_its_rule_alone(field: str, value: Any) -> None:
    assert rules_of("conversion", **{field: value}) == [f"missing_{field}"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_wrong_type_gives_its_rule_alone_on_every_event_type(field: Field) -> None:
    events = [
        event(event_type, **{field.name: value})
        for event_type in MANDATORY
        for value in WRONG[field.kind]
    ]
    verdict = validate_texts(*map(json.dumps, events))

    assert verdict.rules == [[f"invalid_{field.name}"]] * len(events)
    assert verdict.quarantined[0]["fields"] == [field.name]


def test_every_violation_is_reported_with_its_fields() -> None:
    verdict = validate_event(
        "click", original_timestamp="x", uid=..., item_id=1.5, click_type=None, rank="x"
    )

    (row,) = verdict.quarantined
    assert row["rules"] == [
        "invalid_item_id",
        "invalid_original_timestamp",
        "invalid_rank",
        "missing_click_type",
        "missing_identity",
    ]
    assert set(row["fields"]) == {
        "item_id", "original_timestamp", "rank", "click_type", "uid", "sid", "cid"
    }  # fmt: skip
    assert verdict.errors == {("click", rule): 1 for rule in row["rules"]}


@pytest.mark.bad_input(47)
@pytest.mark.parametrize(
    "value",
    ["undefined", "NULL", "none", "NaN", "Nil", "(not set)", "[object Object]", "\\N", "0", 0, "-1",
     -1, "N/A", "Unknown", "anonymous", "GUEST", "true", True, "False", False,
     "00000000-0000-0000-0000-000000000000", "0" * 32, " ", []],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("field", IDENTITY_FIELDS)
def test_word_for_none_is_not_an_identity(field: str, value: Any) -> None:
    assert rules_of(**{"uid": ..., field: value}) == ["missing_identity"]
    others = {name: "x" for name in IDENTITY_FIELDS if name != field}
    verdict = validate_event(**others, **{field: value})

    assert verdict.accepted[0][field] is None
    assert verdict.warned == ({"placeholder_id"} if value not in (" ", []) else set())


@pytest.mark.parametrize("value", [" null", "null ", "nulls", "00", "-0", "0.0", "unknown user"])
def test_whole_values_only_name_no_one(value: str) -> None:
    verdict = validate_event(uid=value, sid=f"{value}x")

    assert (verdict.accepted[0]["uid"], verdict.warned) == (value, set())


def test_person_of_nothing_but_words_is_missing() -> None:
    verdict = validate_event(uid=0, sid="null", cid="unknown", session_id=False, client_id="guest")

    assert verdict.rules == [["missing_identity"]]
    assert verdict.warnings == {("scroll", "placeholder_id"): 1}


@pytest.mark.parametrize("value", ["undefined", "NULL", "none", "NaN", "nil", "(Not Set)", "\\n",
                                   "[OBJECT object]"])  # fmt: skip
@pytest.mark.parametrize(
    "field", ["rec_id", "page_view_id", "module_view_id", "impression_id", "item_id"]
)
def test_word_for_none_is_not_a_link(field: str, value: str) -> None:
    verdict = validate_event(**{field: value})

    assert (verdict.accepted[0][field], verdict.warned) == (None, {"placeholder_id"})
    assert accepted(**{field: "unknown"})[field] == "unknown"
    assert accepted(**{field: "0"})[field] == "0"


def test_mandatory_word_for_none_is_missing() -> None:
    assert rules_of("click", item_id="undefined") == ["missing_item_id"]
    assert rules_of("conversion", item_ids=["undefined", "Nil"]) == ["missing_item_ids"]
    kept = validate_event("conversion", item_ids=["undefined", "a", 7, "a"])

    assert kept.accepted[0]["item_ids"] == ["a", "7", "a"]
    assert kept.warned == {"placeholder_id", "coerced"}


@pytest.mark.parametrize("value", ["undefined", "(not set)", "NULL"])
def test_event_whose_id_means_none_gets_one(value: str) -> None:
    verdict = validate_texts(
        *[json.dumps(event("scroll", id=value, uid=f"u{n // 2}")) for n in range(8)]
    )

    ids = [row["id"] for row in verdict.accepted]
    assert len(set(ids)) == 8
    assert all(one.startswith("evt_") and len(one) == 36 for one in ids)
    assert verdict.warnings == {("scroll", "placeholder_id"): 8}
    assert accepted(id="0")["id"] == "0"


def test_words_for_none_are_what_the_contract_was_given() -> None:
    contract = EventContract(placeholder_ids=["Keine"], placeholder_identities=["gast"])
    rows = pl.DataFrame(
        {"type": "scroll", "original_timestamp": "2025-07-14", "uid": ["GAST", "null", "keine"],
         "cid": "c", "item_id": ["gast", "keine", "null"]}
    )  # fmt: skip
    split = contract.validate(rows, Origin(received_at=RECEIVED_AT))

    assert split.accepted["uid"].to_list() == [None, "null", None]
    assert split.accepted["item_id"].to_list() == ["gast", None, "null"]
    assert split.warnings == {("scroll", "placeholder_id"): 3}


def test_item_ids_as_json_text_are_the_array() -> None:
    verdict = validate_event("conversion", item_ids=' ["a", "b", 7] ')

    assert (verdict.accepted[0]["item_ids"], verdict.warned) == (["a", "b", "7"], {"coerced"})
    assert rules_of("conversion", item_ids="[]") == ["missing_item_ids"]
    assert rules_of("conversion", item_ids='["null"]') == ["missing_item_ids"]
    assert rules_of("conversion", item_ids="a,b") == ["invalid_item_ids"]


@pytest.mark.parametrize("field", IDENTITY_FIELDS)
def test_one_identity_is_enough_and_an_invalid_one_is_invalid_alone(field: str) -> None:
    assert accepted(**{"uid": ..., field: "x"})[field] == "x"
    assert rules_of(**{"uid": ..., field: 1.5}) == [f"invalid_{field}"]


@pytest.mark.bad_input(47, 49, 56, 57)
@pytest.mark.parametrize("value", ["00123", "1e5", "true", "NaN", "null", "=cmd|'/C calc'!A0",
                                   "<script>", " padded ", "\x1f", "x" * 1_000_000])  # fmt: skip
def test_text_is_never_changed(value: str) -> None:
    assert accepted(item_id_relation=value)["item_id_relation"] == value


@pytest.mark.bad_input(45, 46)
@pytest.mark.parametrize(
    ("number", "text"),
    [("9007199254740993", "9007199254740993"), ("1" + "0" * 22, "1" + "0" * 22), ("-0", "0"),
     ("-7", "-7"), ("0", "0"), ("9" * 5000, "9" * 5000)],
)  # fmt: skip
def test_integer_id_is_its_digits_and_warns(number: str, text: str) -> None:
    verdict = validate_texts(json.dumps(event("scroll", item_id="#")).replace('"#"', number))

    assert verdict.accepted[0]["item_id"] == text
    assert verdict.warnings == {("scroll", "coerced"): 1}


@pytest.mark.fault(21)
@pytest.mark.bad_input(48)
def test_id_type_may_change_within_a_file() -> None:
    verdict = validate_texts(
        *(json.dumps(event("scroll", uid=uid)) for uid in ("u", 7, 10**22, None, 1.5))
    )

    assert [row["uid"] for row in verdict.accepted] == ["u", "7", str(10**22)]
    assert verdict.rules == [["missing_identity"], ["invalid_uid"]]


@pytest.mark.parametrize(
    ("text", "value", "warned"),
    [("3", 3, False), ("-0", 0, False), ("3.0", 3, True), ('"3"', 3, True), ("3e0", 3, True),
     ("2147483647", 2_147_483_647, False), ('"2147483647.0"', 2_147_483_647, True)],
)  # fmt: skip
def test_rank_is_a_whole_number(text: str, value: int, warned: bool) -> None:
    verdict = validate_texts(json.dumps(event("scroll", rank="#")).replace('"#"', text))

    assert verdict.accepted[0]["rank"] == value
    assert verdict.warned == ({"coerced"} if warned else set())


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", "0"), ("1.5", "1.5"), ('"1.5"', "1.5"), ("0.0000005", "0.000001"),
     ("999999999999999.9999994", "999999999999999.999999"), ("1e3", "1000"), ("1e-400", "0")],
)  # fmt: skip
def test_dwell_is_exact_to_six_digits(text: str, value: str) -> None:
    verdict = validate_texts(json.dumps(event("scroll", dwell_ms="#")).replace('"#"', text))

    assert verdict.accepted[0]["dwell_ms"] == Decimal(value)
    assert verdict.warned == ({"coerced"} if '"' in text else set())


@pytest.mark.fault(34)
@pytest.mark.bad_input(50)
def test_time_range_is_exact_to_the_microsecond() -> None:
    latest = RECEIVED_AT + timedelta(hours=24)
    micro = timedelta(microseconds=1)

    assert accepted(original_timestamp="2000-01-01")["original_timestamp"] == datetime(2000, 1, 1)
    assert rules_of(original_timestamp="1999-12-31T23:59:59.999999Z") != []
    assert accepted(original_timestamp=latest.isoformat())["original_timestamp"] == latest
    assert rules_of(original_timestamp=(latest + micro).isoformat()) == [
        "invalid_original_timestamp"
    ]
    assert rules_of(original_timestamp="9999-12-31T23:59:59-01:00") != []
    assert rules_of(original_timestamp="0000-01-01T00:00:00Z") != []


@pytest.mark.parametrize("field", ["server_timestamp", "ingest_timestamp"])
@pytest.mark.parametrize(
    "value",
    ["0001-01-01T00:00:00Z", "0000-00-00 00:00:00", "1970-01-01", 0, "0", "9999-12-31"],
    ids=repr,
)
def test_zero_time_is_absent_where_a_time_is_optional(field: str, value: Any) -> None:
    verdict = validate_event(**{field: value})

    (row,) = verdict.accepted
    assert (row["server_timestamp"], row["given_ingest_timestamp"]) == (None, None)
    assert row["ingest_timestamp"] == RECEIVED_AT
    assert verdict.warnings == {("scroll", "zero_time"): 1}
    assert rules_of(original_timestamp=value) == ["invalid_original_timestamp"]


def test_time_ahead_of_its_ingest_raises_a_warning() -> None:
    ingest = {"ingest_timestamp": "2025-07-14T09:15:22Z"}
    at_limit = validate_event(original_timestamp="2025-07-14T09:20:22Z", **ingest)
    beyond = validate_event(original_timestamp="2025-07-14T09:20:22.000001Z", **ingest)
    late = RECEIVED_AT + timedelta(hours=23)

    assert (at_limit.warned, beyond.warned) == (set(), {"ahead_of_ingest"})
    # Neither the arrival time nor a time that is none was given for the record.
    assert validate_event(original_timestamp=late.isoformat()).warned == set()
    assert validate_event(original_timestamp=late.isoformat(), ingest_timestamp=0).warned == {
        "zero_time"
    }
    assert validate_event(ingest_timestamp="1999-01-01").warned == set()


def test_absent_ingest_timestamp_is_the_arrival_time() -> None:
    given = accepted(ingest_timestamp=1752484522)
    absent = accepted()

    assert given["given_ingest_timestamp"] == given["ingest_timestamp"] == datetime(
        2025, 7, 14, 9, 15, 22)  # fmt: skip
    assert (absent["given_ingest_timestamp"], absent["ingest_timestamp"]) == (None, RECEIVED_AT)


@pytest.mark.parametrize(
    ("fields", "sid", "properties", "warned"),
    [
        ({"session_id": "s"}, "s", {}, set()),
        ({"session_id": 7}, "7", {}, {"coerced"}),
        ({"sid": None, "session_id": "s"}, "s", {}, set()),
        ({"sid": "null", "session_id": "s"}, "s", {}, {"placeholder_id"}),
        ({"sid": 0, "session_id": "s"}, "s", {}, {"placeholder_id"}),
        ({"sid": "Unknown", "session_id": None}, None, {}, {"placeholder_id"}),
        ({"sid": "s", "session_id": 0}, "s", {}, set()),
        ({"sid": "s", "session_id": "guest"}, "s", {}, set()),
        ({"sid": None, "session_id": "nan"}, None, {}, {"placeholder_id"}),
        ({"sid": "s", "session_id": "s"}, "s", {"session_id": "s"}, set()),
        ({"sid": "7", "session_id": 7}, "7", {"session_id": 7}, set()),
        ({"sid": "s", "session_id": "t"}, "s", {"session_id": "t"}, {"alias_conflict"}),
        ({"sid": "s", "session_id": None}, "s", {}, set()),
        ({"sid": "s", "session_id": "nan"}, "s", {}, set()),
        ({"sid": "s", "Session_Id": "t"}, "s", {"Session_Id": "t"}, set()),
    ],
)
def test_alias_is_read_where_its_field_is_absent(
    fields: dict[str, Any], sid: str | None, properties: dict[str, Any], warned: set[str]
) -> None:
    verdict = validate_event(**fields)

    row = verdict.accepted[0]
    assert (row["sid"], json.loads(row["properties"])) == (sid, properties)
    assert verdict.warned == warned


@pytest.mark.bad_input(41)
def test_last_of_duplicate_keys_counts() -> None:
    text = json.dumps(event("scroll"))
    verdict = validate_texts(text[:-1] + ', "uid": "u2", "a": {"b": 1, "b": 2}}')

    row = verdict.accepted[0]
    assert (row["uid"], row["properties"]) == ("u2", '{"a":{"b":2}}')
    assert verdict.warnings == {("scroll", "duplicate_key"): 1}


@pytest.mark.bad_input(42, 43, 45, 55)
def test_custom_fields_keep_their_digits_and_their_names() -> None:
    custom = (
        '"price":1.10,"big":100000000000000000000.10,"exp":1E5,"zero":-0,"__proto__":1,"":2,'
        '"select":3,"_batch_id":4,"UID":5,"constructor":{"a":[1.0]}'
    )
    verdict = validate_texts(f"{json.dumps(event('scroll'))[:-1]}, {custom}}}")

    assert verdict.accepted[0]["properties"] == f"{{{custom}}}"


@pytest.mark.bad_input(40)
def test_lone_surrogate_in_a_custom_field_is_replaced_and_warned() -> None:
    verdict = validate_event(note="a\ud800", **{"k\udc00": {"x": ["\ud801"]}}, page="\U0001f600")

    assert json.loads(verdict.accepted[0]["properties"]) == {
        "note": "a\ufffd", "k\ufffd": {"x": ["\ufffd"]}, "page": "\U0001f600"
    }  # fmt: skip
    assert verdict.warnings == {("scroll", "lone_surrogate"): 1}


@pytest.mark.bad_input(43, 53, 54)
def test_many_and_large_custom_fields_are_kept() -> None:
    fields: dict[str, Any] = {f"field_{number}": number for number in range(10_000)}
    row = accepted(**fields, basket=["x"] * 100_000, **{"k" * 10_000: 1})

    assert len(json.loads(row["properties"])) == 10_002


@pytest.mark.bad_input(37, 38, 44, 45)
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{", "malformed_json"),
        ('{"a":NaN}', "malformed_json"),
        ('{"a":Infinity}', "malformed_json"),
        ('{"a":01}', "malformed_json"), ('{"a":1,}', "malformed_json"),
        ('{"a":"\t"}', "malformed_json"),
        ('{"a":"\0"}', "malformed_json"), ("{'a':1}", "malformed_json"),
        ("{} {}", "malformed_json"),
        ("7", "not_an_object"), ("null", "not_an_object"), ("[]", "not_an_object"),
        ('"x"', "not_an_object"), (b'{"a":"\xff"}', "bad_encoding"),
        (b'{"\xfc":1}', "bad_encoding"), ("[" * 65 + "]" * 65, "too_deep"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "too_deep"), ("[" * 100_000, "too_deep"),
        ('{"a":' + "[" * 64 + "]" * 64 + "}", "too_deep"), ('{"a":"' + "[" * 99, "malformed_json"),
    ],
)  # fmt: skip
def test_unreadable_record_has_its_rule(text: str | bytes, rule: str) -> None:
    verdict = validate_texts(json.dumps(event("scroll")), text, json.dumps(event("scroll")))

    assert (verdict.places, verdict.bad_places) == ([(1, 1), (3, 1)], [(2, 1, rule)])
    assert verdict.errors == {("(none)", rule): 1}


def test_depth_64_is_read() -> None:
    text = json.dumps(event("scroll"))[:-1] + ', "a":' + "[" * 63 + "]" * 63 + ', "b": "[[[["}'

    assert validate_texts(text).rules == []


def test_generated_id_is_the_same_on_every_delivery_and_differs_among_copies() -> None:
    text = json.dumps(event("scroll", id=...))
    spaced = json.dumps(event("scroll", id=...), indent=2)
    first = validate_texts(text, spaced, text.replace("u1", "u2"), text)
    again = validate_texts(text, spaced, text.replace("u1", "u2"), text)

    ids = [row["id"] for row in first.accepted]
    assert ids == [row["id"] for row in again.accepted]
    assert len(set(ids)) == 4
    assert validate_texts(text).accepted[0]["id"] == ids[0]
    md5s = [row["record_md5"] for row in first.accepted]
    assert md5s[0] == md5s[1] == md5s[3] != md5s[2]


def test_ordinals_go_on_across_chunks() -> None:
    texts = [json.dumps(event("scroll", id=..., uid=f"u{number % 3}")) for number in range(12)]
    parts = [RecordChunk(), RecordChunk(), RecordChunk()]
    for number, text in enumerate(texts):
        parts[number // 4].add(text.encode(), number + 1)

    whole = [row["id"] for row in validate_texts(*texts).accepted]
    assert [row["id"] for row in validate_chunks(parts).accepted] == whole
    assert len(set(whole)) == 12


def test_unreadable_file_is_one_record_at_line_0() -> None:
    origin = Origin("web", "a.gz", RECEIVED_AT)
    split = unreadable_file("corrupt_compression", 9, "ab", origin, "It is cut.")

    (row,) = split.quarantined.to_dicts()
    assert (row["source"], row["source_file"], row["source_line"], row["rules"]) == (
        "web", "a.gz", 0, ["corrupt_compression"])  # fmt: skip
    assert (row["raw_bytes"], row["raw_sha256"], row["raw"]) == (9, "ab", "It is cut.")


def test_raw_text_is_kept_up_to_its_limit() -> None:
    verdict = validate_event(type=1.5, note="x" * 100_000)

    row = verdict.quarantined[0]
    assert len(row["raw"]) == 64 * 1024
    assert row["raw_bytes"] > 100_000


@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow"])
def test_every_kind_of_frame_gets_the_same_verdict(kind: str) -> None:
    columns = {
        "type": ["click", "click", "dwell_time", None],
        "original_timestamp": [datetime(2025, 7, 14, 9, 15, 22, 401000)] * 4,
        "uid": ["u1", "u2", None, "u3"],
        "session_id": [None, "s", "s", None],
        "item_id": ["a", None, None, None],
        "click_type": ["like", "like", None, None],
        "dwell_ms": [float("nan"), None, 1.5, None],
        "tags": [["a"], None, [], ["b", "c"]],
    }
    frames: dict[str, Any] = {
        "polars": pl.DataFrame(columns, strict=False),
        "pandas": pd.DataFrame(columns),
        "arrow": pa.table(columns),
    }
    split = EventContract().validate(frames[kind], Origin(received_at=RECEIVED_AT))
    expected = EventContract().validate(frames["polars"], Origin(received_at=RECEIVED_AT))

    assert type(split.accepted) is type(frames[kind])
    kept = pl.DataFrame(split.accepted)
    assert kept["source_line"].to_list() == [1, 3]
    assert pl.DataFrame(split.quarantined)["rules"].to_list() == [
        ["missing_item_id"],
        ["missing_type"],
    ]
    assert kept["id"].to_list() == expected.accepted["id"].to_list()
    assert (split.errors, split.warnings) == (expected.errors, expected.warnings)


def test_frame_of_mixed_objects_is_validated() -> None:
    columns = {"type": ["a", 1.5, pd.NA], "uid": [10**22, "x", "\ud800"], "when": [pd.NaT] * 3}
    split = EventContract().validate(pd.DataFrame(columns, dtype=object))

    assert [list(rules) for rules in split.quarantined["rules"]] == [
        ["missing_original_timestamp"],
        ["invalid_type", "missing_original_timestamp"],
        ["bad_encoding"],
    ]


def test_empty_frame_has_empty_verdict() -> None:
    split = EventContract().validate(pl.DataFrame({"type": []}))

    assert (len(split.accepted), len(split.quarantined)) == (0, 0)


def test_other_kinds_of_frames_are_refused() -> None:
    with pytest.raises(TypeError, match="not list"):
        EventContract().validate([{"type": "click"}])  # type: ignore[arg-type]  # on purpose


def test_fingerprint_names_the_limits() -> None:
    assert EventContract().fingerprint == EventContract().fingerprint
    others = [
        EventContract(max_depth=32),
        EventContract(placeholder_ids=["x"]),
        EventContract(placeholder_identities=["x"]),
    ]
    assert len({one.fingerprint for one in (EventContract(), *others)}) == 4


def test_contract_is_that_of_the_settings() -> None:
    assert EventContract.of(SequenSettings()).fingerprint == EventContract().fingerprint
    changed = SequenSettings(max_depth=9, placeholder_ids=("A",), placeholder_identities=("b",))
    own = EventContract(max_depth=9, placeholder_ids=["a"], placeholder_identities=["B"])
    assert EventContract.of(changed).fingerprint == own.fingerprint
