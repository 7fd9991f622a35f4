"""The oracle against cases worked out by hand and the known answers of the real data sets."""

import hashlib
import json
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.oracle import ExportFile, Number, Rules, Validated, gzipped_files, marts, validate

START = datetime.fromisoformat("2024-05-01T10:00:00")
RECEIVED_AT = datetime.fromisoformat("2024-06-01T00:00:00")
LONG = "x" * (16 * 1024 * 1024)
PAGE: dict[str, Any] = {"type": "page_view", "page_type": "home"}
SHOWN: dict[str, Any] = {"type": "impression", "item_id": "a", "rank": 1}
CLICK: dict[str, Any] = {"type": "click", "item_id": "a", "click_type": "like"}
BOUGHT: dict[str, Any] = {"type": "conversion", "conversion_type": "purchase", "item_ids": ["a"]}
MICRO = 1 / 60_000_000


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def validated(*lines: str | bytes) -> Validated:
    texts = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return validate([ExportFile("default", "a.jsonl", b"\n".join(texts), RECEIVED_AT)])


def sent(minute: float = 0.0, **fields: Any) -> dict[str, Any]:
    at = START + timedelta(microseconds=round(minute * 60_000_000))
    kept = {"type": "scroll", "original_timestamp": at.isoformat(), "cid": "c", **fields}
    return {name: value for name, value in kept.items() if value is not ...}


def one(**fields: Any) -> Validated:
    return validated(json.dumps(sent(**fields)) + "\n")


def accepted(**fields: Any) -> dict[str, Any]:
    (row,) = one(**fields).accepted
    return row


def rules_of(**fields: Any) -> list[str]:
    rows = one(**fields).quarantined
    return [rule for row in rows for rule in row["rules"]]


def warned(**fields: Any) -> set[str]:
    return {rule for _, _, rule in one(**fields).warnings}


def tables(*events: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """Build the tables, each as a dict by key, of events that must all be accepted."""
    result = validated(*[json.dumps(event) for event in events], "")
    assert result.quarantined == []
    built: dict[str, Any] = {}
    for name, rows in marts(result.accepted, Rules(**rules)).items():
        built[name] = (
            rows if name == "fct_attributions" else {next(iter(r.values())): r for r in rows}
        )
    return built


def visitors(*events: dict[str, Any], **rules: Any) -> list[str]:
    built = tables(*[event | {"id": str(n)} for n, event in enumerate(events)], **rules)
    return [built["fct_events"][str(n)]["visitor_key"] for n in range(len(events))]


def sessions(*events: dict[str, Any], **rules: Any) -> list[int]:
    """Number the sessions of the events by first appearance."""
    built = tables(*[event | {"id": str(n)} for n, event in enumerate(events)], **rules)
    keys = [built["fct_events"][str(n)]["session_key"] for n in range(len(events))]
    return [list(dict.fromkeys(keys)).index(key) for key in keys]


# Section 2


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{", "truncated_tail"),
        ("{:", "malformed_json"),
        ('{"type":NaN}', "malformed_json"),
        ('{"type":"click",}', "malformed_json"),
        ('{"a":"\t"}', "malformed_json"),
        ('{"a":01}', "malformed_json"),
        (b'{"a":"\xff"}', "bad_encoding"),
        ("[" * 65 + "]" * 65, "too_deep"),
        (f'{{"a":"{LONG}"}}', "too_large"),
        ("null", "not_an_object"),
        ("7", "not_an_object"),
    ],
)
def test_unreadable_line_is_one_quarantined_record(line: str | bytes, rule: str) -> None:
    result = validated(line, "")

    assert [row["rules"] for row in result.quarantined] == [[rule]]
    assert result.quarantined[0]["source_line"] == 1
    assert result.quarantined[0]["type"] is None


def test_depth_64_and_brackets_in_strings_are_read() -> None:
    nested = "[" * 63 + "]" * 63

    assert validated(f'{{"a":{nested}}}', "").quarantined[0]["rules"] != ["too_deep"]
    assert accepted(note="[" * 100)["properties"] == {"note": "[" * 100}


def test_tail_counts_if_it_parses() -> None:
    good = json.dumps(sent())

    assert len(validated(good).accepted) == 1
    assert validated(good, good[:-3]).quarantined[0]["rules"] == ["truncated_tail"]


def test_blank_lines_and_byte_order_mark_are_not_records() -> None:
    result = validated(
        b"\xef\xbb\xbf", " \t\r", json.dumps(sent()) + "\r", "[]", '{"events":[]}', ""
    )

    assert result.blank_lines == {"a.jsonl": 4}
    assert [row["source_line"] for row in result.accepted] == [3]


def test_arrays_and_envelopes_hold_records() -> None:
    event = json.dumps(sent())
    result = validated(f"[{event}, 1]", f'{{"sent_by":"x","events":[{event},{event}]}}', "")

    places = [(row["source_line"], row["source_item"]) for row in result.accepted]
    assert places == [(1, 1), (2, 1), (2, 2)]
    assert result.quarantined[0]["source_item"] == 2
    assert result.warnings == {("a.jsonl", "(none)", "envelope_fields"): 1}


def test_event_with_a_field_named_events_is_not_an_envelope() -> None:
    assert accepted(events=[])["properties"] == {"events": []}


GOOD = '{"type":"scroll","original_timestamp":1714557000,"cid":"c"}'
# It lacks who and when: only an envelope makes it an event.
POOR = '{"type":"scroll"}'
SAYS = '"uid":"u","original_timestamp":1714557000'


def places(text: str | bytes, path: str = "a.jsonl") -> str:
    """Line and item of every record, + where accepted, else the rule."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    result = validate([ExportFile("default", path, data, RECEIVED_AT)])
    rows = [(row, "+") for row in result.accepted]
    rows += [(row, " ".join(row["rules"])) for row in result.quarantined]
    found = sorted((row["source_line"], row["source_item"], rule) for row, rule in rows)
    return ", ".join(f"{line}.{item} {rule}" for line, item, rule in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD * 3, "1.1 +, 1.2 +, 1.3 +"),
        (f"\ufeff{GOOD}\x1e\n{GOOD},\0{GOOD}\r{GOOD}", "1.1 +, 2.1 +, 2.2 +, 3.1 +"),
        (f"[{GOOD}\n,,{GOOD}]]}}\r\n[[{GOOD}],[]]", "1.1 +, 2.1 +, 3.1 +"),
        (json.dumps(GOOD), "1.1 +"),
        (json.dumps(json.dumps(GOOD)), "1.1 not_an_object"),
        (json.dumps(f" [{GOOD}, 1]"), "1.1 +, 1.2 not_an_object"),
        (f'1 2{GOOD}true "a""b"', "1.1 not_an_object, 1.2 not_an_object, 1.3 +, " +
         ", ".join(f"1.{n} not_an_object" for n in (4, 5, 6))),
        (f'1 2{GOOD}true"a"', "1.1 not_an_object, 1.2 not_an_object, 1.3 +, 1.4 malformed_json"),
        (f"started at 12:30\n{GOOD}", "1.1 malformed_json, 2.1 +"),
        (f"[exporter 1.2] started\n{GOOD}", "1.1 malformed_json, 1.2 malformed_json, 2.1 +"),
        (f'{{"a":1 "b":2}} {GOOD}', "1.1 malformed_json, 1.2 +"),
        (f'{{"a":"x {GOOD}\n{GOOD}', "1.1 malformed_json, 2.1 +"),
        (f'{{"a":[1}} {GOOD}', "1.1 malformed_json, 1.2 +"),
        (f'{{"a":[1\n{GOOD}\n{GOOD}', "1.1 malformed_json, 2.1 +, 3.1 +"),
        (f'{{"a":[\n{GOOD}\n', "1.1 truncated_tail, 2.1 +"),
        (f'{{\n  "a": x,\n  "b": {{\n}}\n{GOOD}', "1.1 malformed_json, 5.1 +"),
        (f'{{\n  "a": {{x,\n\n  "b": 1\n}}\n{GOOD}',
         "1.1 malformed_json, 4.1 malformed_json, 6.1 +"),
        (f"[nan,{GOOD},x\n{GOOD}]", "1.1 malformed_json, 1.2 +, 1.3 malformed_json, 2.1 +"),
        (f"[{GOOD}", "1.1 +, 1.2 truncated_tail"),
        (f"[\n{GOOD}\n \n", "2.1 +, 2.2 truncated_tail"),
        (f'[{GOOD},{{"a":', "1.1 +, 1.2 truncated_tail"),
        (b'{"a":"\xff"}' + GOOD.encode(), "1.1 bad_encoding, 1.2 +"),
        (f'{GOOD[:-1]},,"x":1}}{GOOD}', "1.1 malformed_json, 1.2 +"),
    ],
)  # fmt: skip
def test_sequence_of_values(text: str | bytes, found: str) -> None:
    assert places(text) == found


NO_ERASURES = "missing_identity missing_original_timestamp"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'{{{SAYS},"events":[{POOR}]}}', "1.1 +"),
        (f'{{"records":[{POOR},{POOR}],{SAYS}}}', "1.1 +, 1.2 +"),
        (f'{{"session_id":"s","data":[{{"original_timestamp":"2024-05-02","payload":[{POOR}]}}]}}',
         "1.1 +"),
        (f'{{"uid":"null","events":[{POOR}],"original_timestamp":1714557000}}',
         "1.1 missing_identity"),
        (f'{{{SAYS},"events":[1,{POOR}],"batch":[]}}', "1.1 not_an_object, 1.2 +"),
        (f'{{{SAYS},"events":[1]}}', "1.1 missing_type"),
        (f'{{{SAYS},"rank":1,"events":[{{}}]}}', "1.1 missing_type"),
        (f'{{{SAYS},"rank":1,"events":[{POOR}]}}', "1.1 +"),
        (f'{{{SAYS},"type":"x","events":[{POOR}]}}', "1.1 +"),
        (f'{{{SAYS},"type":"","events":[{POOR}]}}', "1.1 +"),
        (f'{{{SAYS},"events":[{POOR}}},{POOR}]}}', f"1.1 +, 1.2 {NO_ERASURES}"),
        (f'{{{SAYS},"events":[{POOR}\n{POOR}]}}', f"1.1 +, 2.1 {NO_ERASURES}"),
        (f'{{{SAYS},"events":[{POOR},\n{POOR}{POOR}]}}', "1.1 +, 2.1 +, 2.2 +"),
        (f'{{{SAYS},"events":[{{"a":"x"y"}},{POOR}]}}\n{GOOD}', "1.1 malformed_json, 2.1 +"),
        (f'{{{SAYS},"events":[{{"a":x}},{POOR}]}}', "1.1 malformed_json, 1.2 +"),
        (f'{{{SAYS},"events":[{{"a":"x"y"z"}},{POOR}]}}', f"1.1 malformed_json, 1.2 {NO_ERASURES}"),
        (f'{{"x":oops,{SAYS},"events":[{POOR}]}}{GOOD}', "1.1 malformed_json, 1.2 +"),
        (f'{{{SAYS},"events":[{POOR}],"x":oops}}{GOOD}', "1.1 +, 1.2 malformed_json, 1.3 +"),
        (f'{{{SAYS},"events":[{POOR}', "1.1 +, 1.2 truncated_tail"),
        (f'{{{SAYS},"events":[{POOR}],,}}', "1.1 +"),
        (f'{{"x":1,,{SAYS} "events":[{POOR}]}}', "1.1 +"),
        (f'{{{SAYS} "type":"x","events":[{POOR}]}}', "1.1 malformed_json"),
    ],
)  # fmt: skip
def test_envelope(text: str, found: str) -> None:
    assert places(text) == found


def test_fields_from_an_envelope_raise_a_warning_and_are_part_of_the_id() -> None:
    text = f'{{"client_id": "x","events":[{POOR}],"original_timestamp":1714557000,"v":1}}'
    result = validated(text, "")

    assert result.warnings == {
        ("a.jsonl", "(none)", "envelope_fields"): 1,
        ("a.jsonl", "scroll", "inherited_from_envelope"): 1,
    }
    base = md5(POOR + '{"original_timestamp":1714557000,"cid":"x"}')
    assert (result.accepted[0]["cid"], result.accepted[0]["id"]) == ("x", "evt_" + md5(f"{base}:0"))


CELLS = "1714557000,c"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.csv", f"type,original_timestamp,cid\nx,{CELLS}\n\n,,\nx,{CELLS},\n", "2.1 +, 5.1 +"),
        ("a.CSV", f"sep=^\ntype^original_timestamp^cid\nx^{CELLS.replace(',', '^')}", "3.1 +"),
        ("a.csv", 'type;original_timestamp;"c,,,,id";cid\nx;1714557000;;c', "2.1 +"),
        ("a.csv", f"Type,t\nx,{CELLS}\ny",
         "2.1 malformed_csv, 3.1 missing_identity missing_original_timestamp missing_type"),
        ("a.csv", f"a,b\nx,{CELLS}\n", "0.1 missing_header"),
        ("a.csv", "type, cid\n", ""),
        ("a.csv", f'type, original_timestamp, cid\n"x",  {CELLS}\nx, "1714557000", "c"',
         "2.1 invalid_original_timestamp, 3.1 +"),
        ("a.csv", f'type,original_timestamp,cid\n"x\ny",{CELLS}\n"x"y,\n"x,\nx,{CELLS}',
         "2.1 +, 4.1 malformed_csv, 5.1 malformed_csv, 6.1 +"),
        ("a.csv", f"type,original_timestamp,cid,uid,rank\nx,{CELLS},NULL,\\N\nx,1714557000,NULL",
         "2.1 +, 3.1 missing_identity"),
        ("a.csv", 'type,original_timestamp,cid\nx,1714557000,"NULL"\nx,1714557000,"\\N"',
         "2.1 missing_identity, 3.1 missing_identity"),
        ("a.tsv", 'type\toriginal_timestamp\tcid\n"a ""b"""\t1714557000\t"c\n', "2.1 +"),
        ("a.csv", GOOD, "1.1 +"),
    ],
)  # fmt: skip
def test_delimited_text(name: str, text: str, found: str) -> None:
    assert places(text, name) == found


def test_folders_give_reserved_fields() -> None:
    data = b'{"uid":"u","original_timestamp":1714557000}'
    path = "type=page%5Fview/day=1/page_type=home/rank=3/cid=__HIVE_DEFAULT_PARTITION__/a.json"
    for mode, properties in (("reserved", {}), ("all", {"day": "1"})):
        result = validate([ExportFile("default", path, data, RECEIVED_AT)], mode)
        (row,) = result.accepted
        assert (row["type"], row["page_type"], row["rank"], row["cid"]) == (
            "page_view", "home", 3, None,
        )  # fmt: skip
        assert row["properties"] == properties
        assert result.warnings == {}
    off = validate([ExportFile("default", path, data, RECEIVED_AT)], "off")
    assert [row["rules"] for row in off.quarantined] == [["missing_type"]]


# Section 3


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"type": ...}, ["missing_type"]),
        ({"type": 5}, ["invalid_type"]),
        ({"original_timestamp": "\u2003"}, ["missing_original_timestamp"]),
        ({"cid": ...}, ["missing_identity"]),
        ({"cid": "None", "uid": "NaN"}, ["missing_identity"]),
        ({"cid": 1.5}, ["invalid_cid"]),
        ({"cid": 1.5, "sid": "s"}, ["invalid_cid"]),
        ({"type": "click"}, ["missing_click_type", "missing_item_id"]),
        ({"type": "impression", "item_id": "a", "rank": 3.5}, ["invalid_rank"]),
        ({"rank": -1}, ["invalid_rank"]),
        ({"rank": 2147483648}, ["invalid_rank"]),
        ({"rank": True}, ["invalid_rank"]),
        ({"type": "conversion", "conversion_type": "x", "item_ids": []}, ["missing_item_ids"]),
        ({"item_ids": ["a", " "]}, ["invalid_item_ids"]),
        ({"item_ids": ["a", 1.0]}, ["invalid_item_ids"]),
        ({"item_ids": "a"}, ["invalid_item_ids"]),
        ({"type": "dwell_time"}, ["missing_dwell_ms"]),
        ({"dwell_ms": -1}, ["invalid_dwell_ms"]),
        ({"dwell_ms": 10**15}, ["invalid_dwell_ms"]),
        ({"dwell_ms": "1e3"}, ["invalid_dwell_ms"]),
        ({"uid": "a\0"}, ["invalid_uid"]),
        ({"uid": "\ud800"}, ["invalid_uid"]),
        ({"page_type": {}}, ["invalid_page_type"]),
    ],
)
def test_violation(fields: dict[str, Any], rules: list[str]) -> None:
    assert rules_of(**fields) == rules


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01t10:30", "2024-05-01T10:30"),
        ("2024-05-01 10:30:59.1234567 UTC", "2024-05-01T10:30:59.123456"),
        ("2024-05-01T10:30:00+02:00", "2024-05-01T08:30"),
        ("2024-05-01T10:30:00-0230z", None),
        ("2024-05-01 10:30:00+02", "2024-05-01T08:30"),
        ("2024-05-01 10:30:00 +0200", "2024-05-01T08:30"),
        ("2024-05-01 10:30:00  +0200", None),
        ("2024-05-01 10:30:00 +0000 UTC", "2024-05-01T10:30"),
        ("2024-05-01T10:30+02:00[Europe/Zurich]", "2024-05-01T08:30"),
        ("2024-05-01T10:30Z[UTC]", "2024-05-01T10:30"),
        ("2024-05-01Z", None),
        ("2024-05-01+02:00", None),
        ("1970-01-01", None),
        (0, None),
        ("2024-05-01T10:30:00-0230", "2024-05-01T13:00"),
        (1714557000, "2024-05-01T09:50"),
        ("1714557000.0000019", "2024-05-01T09:50:00.000001"),
        (1714557000001, "2024-05-01T09:50:00.001"),
        (1714557000000001, "2024-05-01T09:50:00.000001"),
        (1714557000000001999, "2024-05-01T09:50:00.000001"),
        ("2024-02-30", None),
        ("2024-05-01T24:00", None),
        ("2024-05-01T10:30:60Z", None),
        ("2024-05-01T10:30:00,5Z", None),
        (" 2024-05-01", None),
        ("20240501", None),
        ("2024-W18-3", None),
        ("1999-12-31T23:59:59.999999Z", None),
        ("2000-01-01", "2000-01-01"),
        ("2024-06-02T00:00:00", "2024-06-02"),
        ("2024-06-02T00:00:00.000001", None),
        (True, None),
    ],
)
def test_timestamp(value: object, read: str | None) -> None:
    if read is None:
        assert rules_of(original_timestamp=value) == ["invalid_original_timestamp"]
    else:
        row = accepted(original_timestamp=value)
        assert row["original_timestamp"] == datetime.fromisoformat(read)


def test_values_are_read_exactly() -> None:
    row = accepted(
        uid=9007199254740993, rank="3.0", dwell_ms=0.0000005, item_ids=[1, "b"], price=1.10
    )

    assert (row["uid"], row["rank"], row["item_ids"]) == ("9007199254740993", 3, ["1", "b"])
    assert str(row["dwell_ms"]) == "0.000001"
    assert row["properties"] == {"price": Number("1.1")}
    assert (row["ingest_timestamp"], row["given_ingest_timestamp"]) == (RECEIVED_AT, None)


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"sid": 7}, {"coerced"}),
        ({"rank": 3}, set()),
        ({"rank": 3.0}, {"coerced"}),
        ({"dwell_ms": 3.5}, set()),
        ({"dwell_ms": "3.5"}, {"coerced"}),
        ({"uid": "NULL"}, {"placeholder_id"}),
        ({"sid": "(Not Set)", "session_id": "x"}, {"placeholder_id"}),
        ({"sid": 0}, {"placeholder_id"}),
        ({"uid": False}, {"placeholder_id"}),
        ({"rec_id": "nil"}, {"placeholder_id"}),
        ({"rec_id": "guest"}, set()),
        ({"session_id": "null"}, {"placeholder_id"}),
        ({"sid": "s", "session_id": "null"}, set()),
        ({"item_ids": ["a", "None"]}, {"placeholder_id"}),
        ({"item_ids": '["a"]'}, {"coerced"}),
        ({"server_timestamp": "0001-01-01T00:00:00Z"}, {"zero_time"}),
        ({"server_timestamp": 0}, {"zero_time"}),
        ({"ingest_timestamp": "9999-12-31 23:59:59"}, {"zero_time"}),
        ({"ingest_timestamp": "2024-05-01T09:55:00"}, set()),
        ({"ingest_timestamp": "2024-05-01T09:54:59.999999"}, {"ahead_of_ingest"}),
        ({"sid": "7", "session_id": 7}, set()),
        ({"sid": "7", "session_id": "8"}, {"alias_conflict"}),
        ({"type": "PageView"}, {"near_standard_type"}),
        ({"tags": ["a", 1]}, {"unsupported_field_type"}),
        ({"tags": ["a"], "vector": [1, 2.5], "none": None, "deep": {"a": [1, "b"]}}, set()),
    ],
)
def test_warning_does_not_quarantine(fields: dict[str, Any], warnings: set[str]) -> None:
    assert warned(**fields) == warnings
    assert accepted(**fields)


def test_alias_applies_where_the_field_is_absent() -> None:
    row = accepted(cid="none", client_id="c2", sid="s", session_id="s2")

    assert (row["cid"], row["sid"]) == ("c2", "s")
    assert row["properties"] == {"session_id": "s2"}


def test_last_of_a_duplicate_key_counts() -> None:
    result = validated('{"uid":"a","type":"x","uid":"b","original_timestamp":1714557000}', "")

    assert result.accepted[0]["uid"] == "b"
    assert result.warnings == {("a.jsonl", "x", "duplicate_key"): 1}


def test_minus_zero_is_zero() -> None:
    line = '{"uid":"u","rec_id":-0,"type":"x","original_timestamp":1e9,"rank":-0,"price":-0}'
    (row,) = validated(line, "").accepted

    assert (row["rec_id"], row["rank"], row["properties"]) == ("0", 0, {"price": Number("-0")})


# Section 4


def test_generated_id_comes_from_text_and_ordinal() -> None:
    text = json.dumps(sent(), separators=(",", ":"))
    spaced = text.replace(":{", " : {").replace(",", " , ")
    ids = [row["id"] for row in validated(text, spaced, "").accepted]

    base = md5(text)
    assert ids == ["evt_" + md5(f"{base}:{n}") for n in (0, 1)]


def test_winner_is_earliest_given_ingest_then_event_time() -> None:
    late = sent(5, id="e", v=1, ingest_timestamp="2024-05-03")
    first = sent(9, id="e", v=2, ingest_timestamp="2024-05-02")
    absent = sent(1, id="e", v=3)

    for copies in ([late, first, absent], [absent, first, late]):
        assert tables(*copies)["fct_events"]["e"]["properties"] == {"v": Number("2")}
    tied = tables(sent(2, id="e", v=1), sent(1, id="e", v=2))
    assert tied["fct_events"]["e"]["properties"] == {"v": Number("2")}


# Section 5


def test_login_mid_session_names_the_whole_session() -> None:
    events = [sent(0, sid="s"), sent(1, sid="s", uid="u"), sent(2, sid="s")]

    assert visitors(*events) == ["uid:u"] * 3
    assert visitors(*events, stitching=False) == ["cid:c", "uid:u", "cid:c"]


def test_two_users_on_one_device_are_kept_apart() -> None:
    keys = visitors(
        sent(0), sent(1, uid="u"), sent(2), sent(3, uid="v"), sent(3, sid="s"), sent(9, sid="s")
    )

    assert keys == ["uid:u", "uid:u", "uid:u", "uid:v", "uid:v", "uid:v"]


def test_anonymous_session_is_decided_by_its_first_event() -> None:
    events = [sent(0, uid="u"), sent(1, sid="s"), sent(2, uid="v"), sent(3, sid="s"), sent(3)]

    assert visitors(*events) == ["uid:u", "uid:u", "uid:v", "uid:u", "uid:v"]


def test_uids_on_a_sid_shared_by_devices_are_distinguished_by_cid() -> None:
    events = [
        sent(0, sid="s", cid="c1", uid="u"),
        sent(1, sid="s", cid="c2", uid="v"),
        sent(2, sid="s", cid="c1"),
        sent(3, sid="s", cid=...),
        sent(4, sid="s", cid="c3"),
    ]

    assert visitors(*events) == ["uid:u", "uid:v", "uid:u", "sid:s", "cid:c3"]


def test_uid_without_cid_speaks_for_every_device_of_its_sid() -> None:
    events = [sent(0, sid="s", cid=..., uid="u"), sent(1, sid="s"), sent(2, sid="s", cid="d")]

    assert visitors(*events) == ["uid:u"] * 3


@pytest.mark.parametrize(("users", "visitor"), [(2, "uid:u1"), (3, "sid:s")])
def test_device_of_too_many_users_identifies_no_one(users: int, visitor: str) -> None:
    logins = [sent(n, uid=f"u{n}") for n in range(users)]
    keys = visitors(*logins, sent(9, sid="s"), sent(1, sid="t"), sent(9), max_users_per_device=2)

    assert keys[users:] == [visitor, *(["uid:u1"] * 2 if users == 2 else ["sid:t", "cid:c"])]
    off = visitors(*logins, sent(9, sid="s"), stitching=False, max_users_per_device=2)
    assert off[-1] == "cid:c"


@pytest.mark.parametrize("kind", ["uid", "cid"])
def test_session_id_of_too_many_users_or_devices_lends_nothing(kind: str) -> None:
    for count, visitor in ((2, "cid:c"), (3, "cid:c")):
        shared = [sent(n, sid="s", **{"cid": ..., kind: f"{kind}{n}"}) for n in range(count)]
        alone = sent(5, sid="s", cid=...)
        keys = visitors(*shared, sent(4, sid="s"), alone, max_users_per_device=2)
        assert keys[count:] == [visitor, "sid:s"]
    lent = [sent(0, sid="s", cid="a", uid="u"), sent(1, sid="s", cid=...)]
    more = [sent(2, sid="s", cid=f"c{n}") for n in range(2)]
    assert visitors(*lent, *more[:1], max_users_per_device=2)[1] == "uid:u"
    assert visitors(*lent, *more, max_users_per_device=2)[1] == "sid:s"


def test_event_on_a_kiosk_goes_by_its_session_id_only_if_that_identifies() -> None:
    logins = [sent(n, uid=f"u{n}", sid=f"s{n % 2}") for n in range(4)]
    keys = visitors(*logins, sent(9, sid="s0"), sent(9, sid="s2"), max_users_per_device=1)

    assert keys[4:] == ["cid:c", "sid:s2"]


# Section 6


def test_gap_equal_to_the_limit_does_not_split() -> None:
    assert sessions(sent(0), sent(30)) == [0, 0]
    assert sessions(sent(0), sent(30 + MICRO)) == [0, 1]


def test_sid_holds_whatever_the_gap_and_draws_in_events_without() -> None:
    events = [sent(0), sent(1, sid="s"), sent(20), sent(400, sid="s"), sent(430), sent(461)]

    assert sessions(*events) == [0, 1, 1, 1, 1, 2]
    assert sessions(*events, session_rule="inactivity") == [0, 0, 0, 1, 1, 2]


def test_session_row_and_key() -> None:
    built = tables(
        sent(0, id="1", uid="ü", sid="s", **PAGE),
        sent(1, id="2", uid="ü", sid="s", type="dwell_time", dwell_ms=1.5),
        sent(2, id="3", uid="ü", sid="s", type="page_view", page_type="cart"),
        sent(3, id="4", uid="ü", sid="s", **BOUGHT, order_total=5, currency="EUR"),
        sent(4, id="5", uid="ü", sid="s", **BOUGHT, order_total="0.5", currency="EUR"),
    )

    key = md5('["uid:ü","sid","s"]')
    row = built["fct_sessions"][key]
    assert (row["sid"], row["session_source"], row["event_count"]) == ("s", "given", 5)
    assert (row["entry_page_type"], row["exit_page_type"]) == ("home", "cart")
    assert (row["dwell_ms"], row["duration_seconds"]) == (Decimal("1.5"), Decimal(240))
    assert (row["conversion_value"], row["is_mixed_currency"]) == (Decimal("5.5"), False)


def test_mixed_currencies_are_not_added() -> None:
    (row,) = tables(
        sent(0, id="1", **BOUGHT, order_total=5, currency="EUR"),
        sent(1, id="2", **BOUGHT, order_total=5),
    )["fct_sessions"].values()

    assert (row["conversion_value"], row["is_mixed_currency"]) == (None, True)


# Section 7


def test_link_by_id_then_by_own_value_then_dangling() -> None:
    events = tables(
        sent(9, id="p", **PAGE, page_view_id="own"),
        sent(8, id="q", **PAGE, page_view_id="own"),
        sent(0, id="1", page_view_id="p", cid="other"),
        sent(0, id="2", page_view_id="own"),
        sent(0, id="3", page_view_id="1"),
    )["fct_events"]

    links = {i: (e["page_view_link"], e["linked_page_view_id"]) for i, e in events.items()}
    assert links == {
        "p": ("absent", None),
        "q": ("absent", None),
        "1": ("resolved", "p"),
        "2": ("resolved", "q"),
        "3": ("dangling", None),
    }


def test_click_match_methods() -> None:
    built = tables(
        sent(0, id="i1", **SHOWN, rec_id="r", page_view_id="p1"),
        sent(1, id="i2", **SHOWN, page_view_id="p2"),
        sent(2, id="i3", **SHOWN, item_id_relation="cars"),
        sent(9, id="i4", **SHOWN, cid="other"),
        sent(3, id="k1", **CLICK, impression_id="i4", rec_id="r"),
        sent(3, id="k2", **CLICK, rec_id="r", page_view_id="p2"),
        sent(3, id="k3", **CLICK, rec_id="x", page_view_id="p2"),
        sent(3, id="k4", **CLICK, impression_id="gone"),
        sent(3, id="k5", **CLICK, item_id_relation="boats"),
        sent(32, id="k6", **CLICK),
        sent(32 + MICRO, id="k7", **CLICK),
        sent(0, id="i0", **SHOWN | {"item_id": "b"}),
        sent(-1, id="k8", **CLICK | {"item_id": "b"}),
        sent(0, id="k9", **CLICK | {"item_id": "b"}),
    )

    found = {
        i: (c["matched_impression_id"], c["match_method"]) for i, c in built["fct_clicks"].items()
    }
    assert found == {
        "k1": ("i4", "impression_id"),
        "k2": ("i1", "rec_id"),
        "k3": ("i2", "page_view_id"),
        "k4": ("i3", "window"),
        "k5": ("i2", "window"),
        "k6": ("i3", "window"),
        "k7": (None, "none"),
        "k8": (None, "none"),
        "k9": ("i0", "window"),
    }


def test_latest_of_several_impressions_matches_and_the_id_breaks_ties() -> None:
    built = tables(
        sent(2, id="i1", **SHOWN, rec_id="r"),
        sent(2, id="i2", **SHOWN, rec_id="r"),
        sent(1, id="i3", **SHOWN, rec_id="r"),
        sent(3, id="k", **CLICK, rec_id="r"),
    )

    assert built["fct_clicks"]["k"]["matched_impression_id"] == "i2"


def test_given_values_win_and_links_go_with_them() -> None:
    built = tables(
        sent(0, id="p", **PAGE),
        sent(0, id="m", type="module_view", rank=1, page_view_id="p"),
        sent(1, id="i", **SHOWN | {"rank": 4}, module_view_id="m", rec_id="r"),
        sent(2, id="k", **CLICK, impression_id="i", module_view_id="lost"),
    )

    click = built["fct_clicks"]["k"]
    assert (click["page_view_id"], click["linked_page_view_id"]) == ("p", "p")
    assert (click["module_view_id"], click["linked_module_view_id"]) == ("lost", None)
    assert (click["rec_id"], click["rank"]) == ("r", 4)
    page, module = built["fct_page_views"]["p"], built["fct_module_views"]["m"]
    assert (page["impression_count"], page["click_count"]) == (1, 1)
    assert (module["impression_count"], module["clicked_impression_count"]) == (1, 1)


def test_page_view_gathers_dwell_and_scroll() -> None:
    page = tables(
        sent(0, id="p", **PAGE),
        sent(1, id="1", type="dwell_time", dwell_ms=10, page_view_id="p"),
        sent(2, id="2", type="dwell_time", dwell_ms=0.5, page_view_id="p"),
        sent(3, id="3", scroll_depth="far", depth="70", max_scroll=99, page_view_id="p"),
        sent(4, id="4", scroll_pct=30, page_view_id="p"),
    )["fct_page_views"]["p"]

    assert (page["dwell_ms"], page["max_scroll_depth"]) == (Decimal("10.5"), Decimal(70))


# Section 8


def credited(*events: dict[str, Any], column: str = "linear_value") -> list[tuple[Any, ...]]:
    rows = tables(*events)["fct_attributions"]
    return [(row["item_id"], row["basis"], row["touch_id"], row[column]) for row in rows]


@pytest.mark.parametrize(
    ("minutes_before", "touch", "basis"),
    [
        (7 * 1440, CLICK, "click"),
        (7 * 1440 + MICRO, CLICK, "none"),
        (1440, SHOWN, "view"),
        (1440 + MICRO, SHOWN, "none"),
        (0, CLICK, "click"),
        (-MICRO, CLICK, "none"),
        (1, CLICK | {"item_id": "b"}, "none"),
        (1, CLICK | {"cid": "other"}, "none"),
    ],
)
def test_basis_by_window(minutes_before: float, touch: dict[str, Any], basis: str) -> None:
    rows = credited(sent(-minutes_before, **{"id": "t", **touch}), sent(0, id="v", **BOUGHT))

    assert rows == [("a", basis, "" if basis == "none" else "t", None)]


def test_explicit_impression_beats_clicks_only_for_its_item() -> None:
    rows = credited(
        sent(-99_999, id="i", **SHOWN, cid="other"),
        sent(-1, id="k", **CLICK),
        sent(-1, id="kb", **CLICK | {"item_id": "b"}),
        sent(0, id="v", **BOUGHT | {"item_ids": ["a", "b"]}, impression_id="i", order_total=3),
    )

    assert [row[:3] for row in rows] == [("a", "explicit", "i"), ("b", "click", "kb")]


def test_explicit_impression_must_not_be_later_nor_of_another_relation() -> None:
    for at, relation in ((MICRO, "cars"), (-1, "boats")):
        shown = sent(at, id="i", **SHOWN, item_id_relation=relation, cid="other")
        bought = sent(0, id="v", **BOUGHT, impression_id="i", item_id_relation="cars")
        assert credited(shown, bought) == [("a", "none", "", None)]


def test_touch_of_another_relation_is_of_another_item() -> None:
    rows = credited(
        sent(-2, id="k1", **CLICK),
        sent(-1, id="k2", **CLICK, item_id_relation="boats"),
        sent(0, id="v", **BOUGHT, item_id_relation="cars"),
    )

    assert rows == [("a", "click", "k1", None)]


def test_weights_too_small_to_count_leave_everything_to_the_last_touch() -> None:
    shown = sent(-7 * 1440 * 31, id="i", **SHOWN)
    rows = credited(shown, sent(0, id="v", **BOUGHT, impression_id="i"), column="time_decay_credit")

    assert rows == [("a", "explicit", "i", Decimal(1))]


def test_value_is_shared_by_quantity_with_the_remainder_to_the_last_item() -> None:
    for total, shares in (("0.000010", "6 4"), ("-0.000010", "-7 -3"), ("0.000001", "0 1")):
        event = sent(0, id="v", **BOUGHT | {"item_ids": ["b", "a", "a"]}, order_total=total)
        rows = tables(event)["fct_attributions"]
        assert " ".join(str(int(row["unit_value"] * 10**6)) for row in rows) == shares
        assert [row["quantity"] for row in rows] == [2, 1]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1.10, "1.100000"),
        ("-3.0000005", "-3.000001"),
        ("1,5", None),
        (True, None),
        (10**18, None),
        (" 1", None),
        (None, None),
    ],
)
def test_conversion_value(value: object, read: str | None) -> None:
    row = tables(sent(0, id="v", **BOUGHT, order_total=value))["fct_conversions"]["v"]

    assert row["value"] == (None if read is None else Decimal(read))
    assert (row["item_count"], row["unit_count"], row["is_attributed"]) == (1, 1, False)


def test_unit_without_touch_keeps_all_credit() -> None:
    (row,) = tables(sent(0, id="v", **BOUGHT, order_total=7))["fct_attributions"]

    assert (row["touch_id"], row["touch_number"], row["touch_count"]) == ("", None, 0)
    assert row["first_touch_credit"] == row["time_decay_credit"] == 1
    assert row["position_based_value"] == Decimal(7)


def test_credits_and_their_remainders() -> None:
    week = 7 * 1440
    touches = [sent(-minutes, id=f"k{minutes}", **CLICK) for minutes in (week, 10, 5, 0)]
    rows = tables(*touches[:3], sent(0, id="v", **BOUGHT, order_total="0.00001"))[
        "fct_attributions"
    ]

    assert [str(row["linear_credit"]) for row in rows] == ["0.333333333"] * 2 + ["0.333333334"]
    assert [int(row["linear_value"] * 10**6) for row in rows] == [3, 3, 4]
    assert [row["position_based_credit"] * 10 for row in rows] == [4, 2, 4]
    assert [row["first_touch_credit"] for row in rows] == [1, 0, 0]
    assert [row["last_touch_value"] for row in rows] == [0, 0, Decimal("0.00001")]
    halves = tables(touches[0], touches[3], sent(0, id="v", **BOUGHT))["fct_attributions"]
    assert [str(row["time_decay_credit"]) for row in halves] == ["0.333333333", "0.666666667"]
    assert [row["position_based_credit"] * 2 for row in halves] == [1, 1]


def test_more_than_100_touches_keep_the_first_and_the_latest_99() -> None:
    touches = [sent(n, id=f"k{n:03}", **CLICK) for n in range(102)]
    rows = tables(*touches, sent(200, id="v", **BOUGHT))["fct_attributions"]

    assert [row["touch_id"] for row in rows] == ["k000", *[f"k{n:03}" for n in range(3, 102)]]
    assert rows[-1]["touch_number"] == rows[0]["touch_count"] == 100
    assert len(tables(*touches[2:], sent(200, id="v", **BOUGHT))["fct_attributions"]) == 100


def test_conversion_flows_back_to_impression_and_recommendation() -> None:
    built = tables(
        sent(0, id="i", **SHOWN, rec_id="r", server_timestamp="2024-05-01T09:59:58.5"),
        sent(1, id="j", **SHOWN, rec_id="r"),
        sent(2, id="k", **CLICK, impression_id="i"),
        sent(3, id="v", **BOUGHT, order_total=9, currency="EUR"),
    )

    flags = {
        i: (row["is_clicked"], row["is_converted"]) for i, row in built["fct_impressions"].items()
    }
    assert flags == {"i": (True, True), "j": (False, False)}
    row = built["fct_recommendations"]["r"]
    assert (row["impression_count"], row["clicked_impression_count"], row["ctr"]) == (2, 1, 0.5)
    assert (row["conversion_count"], row["value"]) == (1, Decimal(9))
    assert row["request_to_view_seconds"] == Decimal("1.5")


def test_dim_visitors() -> None:
    built = tables(sent(0, id="1", uid="u", cid="d"), sent(40, id="2"), sent(41, id="3", uid="u"))

    row = built["dim_visitors"]["uid:u"]
    assert (row["uids"], row["cids"]) == (["u"], ["c", "d"])
    assert (row["event_count"], row["session_count"], row["is_oversized"]) == (3, 2, False)
    assert row["last_seen_at"] - row["first_seen_at"] == timedelta(minutes=41)


def orders(*events: dict[str, Any], **rules: Any) -> list[tuple[str, bool, int]]:
    """Id, whether it is a repeat and units of every conversion, by id."""
    rows = tables(*events, **rules)["fct_conversions"].values()
    return sorted((row["id"], row["is_repeat"], row["unit_count"]) for row in rows)


def order_at(minute: float, key: str, order: object, **fields: Any) -> dict[str, Any]:
    kept = {**BOUGHT, "order_id": order, "order_total": 5, "currency": "EUR"}
    return sent(minute, id=key, **kept | fields)


def test_first_of_an_order_by_time_and_id_counts() -> None:
    found = orders(
        order_at(2, "x", 1001),
        order_at(1, "z", "1001", cid="other"),
        order_at(1, "y", "1001", order_total="5.0"),
    )

    assert found == [("x", True, 0), ("y", False, 1), ("z", True, 0)]


@pytest.mark.parametrize(
    ("change", "is_repeat"),
    [
        ({}, True),
        ({"item_ids": ["a", "a"]}, False),
        ({"order_total": -5}, False),
        ({"order_total": ...}, False),
        ({"currency": "USD"}, False),
        ({"currency": ...}, False),
        ({"conversion_type": "refund"}, False),
        ({"order_id": 1001.5}, False),
        ({"order_id": "n/a", "properties": {"order_id": "1001"}}, True),
        ({"order_id": ..., "context": '{"order_id":1001}'}, True),
        ({"item_id_relation": "x", "cid": "d", "sid": "s"}, True),
    ],
)
def test_what_makes_an_order_the_same(change: dict[str, Any], is_repeat: bool) -> None:
    rows = orders(order_at(1, "x", 1001), order_at(2, "y", 1001, **change))

    assert rows[1][:2] == ("y", is_repeat)


@pytest.mark.parametrize(
    "value", [..., None, True, [1], {"a": 1}, "", "guest", 0, -1, "NULL", "n/a"]
)
def test_values_that_name_no_order(value: object) -> None:
    rows = orders(order_at(1, "x", value), order_at(2, "y", value))

    assert rows == [("x", False, 1), ("y", False, 1)]
    assert [
        row[1] for row in orders(order_at(1, "x", 7), order_at(2, "y", 7), order_field=None)
    ] == [False] * 2


def test_repeat_has_no_part_in_its_session() -> None:
    built = tables(
        order_at(0, "a", 1, sid="s"),
        order_at(1, "b", 2, sid="s", currency="USD", order_total=1),
        order_at(-1, "c", 2, sid="t", cid="d", currency="USD", order_total=1),
        order_at(2, "d", 1, sid="u", cid="d"),
    )
    rows = {row["sid"]: row for row in built["fct_sessions"].values()}

    names = ("conversion_count", "conversion_value", "is_converted", "is_mixed_currency")
    assert [rows["s"][name] for name in names] == [2, Decimal(5), True, False]
    assert [rows["u"][name] for name in names] == [1, None, False, False]
    assert built["fct_conversions"]["d"]["value"] == Decimal(5)
    assert [row["conversion_id"] for row in built["fct_attributions"]] == ["c", "a"]


def test_path_is_looked_up_at_the_top_then_inside_and_flat_before_nested() -> None:
    places: list[tuple[dict[str, Any], str]] = [
        ({"a": {"b": "2"}, "a.b": "1"}, "1"),
        ({"a": {"b": "2"}, "a.b": "none"}, "2"),
        ({"traits": {"a.b": "3"}, "context": '{"a":"{\\"b\\":2}"}'}, "2"),
        ({"context": {"a.b": "2"}, "properties": {"a": {"b": 1}}}, "1"),
    ]
    for fields, value in places:
        row = tables(sent(0, id="x", **BOUGHT, **fields), value_field="a.b")["fct_conversions"]["x"]
        assert row["value"] == Decimal(value)


# The real data sets


def of_data_set(folder: Path) -> tuple[Validated, dict[str, Any]]:
    result = validate(gzipped_files(folder))
    return result, marts(result.accepted)


def test_ecommerce(test_data: Path) -> None:
    result, built = of_data_set(test_data / "ecommerce")

    assert (len(result.accepted), len(result.quarantined)) == (1021, 11)
    assert Counter(rule for row in result.quarantined for rule in row["rules"]) == {
        "missing_identity": 11,
        "missing_item_id": 1,
    }
    methods = Counter(row["match_method"] for row in built["fct_clicks"])
    assert methods == {"window": 34, "page_view_id": 28, "none": 23}
    rows = built["fct_attributions"]
    assert (len(built["fct_sessions"]), len(built["fct_conversions"]), len(rows)) == (63, 13, 47)
    assert {row["basis"] for row in rows} == {"click"}
    assert len({(row["conversion_id"], row["item_id"]) for row in rows}) == 16


def test_two_batch(test_data: Path) -> None:
    result, built = of_data_set(test_data / "two_batch")

    assert (len(result.accepted), len(built["fct_sessions"])) == (9, 5)


@pytest.mark.slow
def test_ebnerd(test_data: Path) -> None:
    result, built = of_data_set(test_data / "ebnerd_test")

    assert (len(result.accepted), len(result.quarantined)) == (37_894, 0)
    assert len(built["fct_sessions"]) == 2505
    assert Counter(row["match_method"] for row in built["fct_clicks"]) == {"impression_id": 1047}


@pytest.mark.slow
def test_online_retail(test_data: Path) -> None:
    result, built = of_data_set(test_data / "online_retail")

    assert (len(result.accepted), len(built["fct_sessions"])) == (22_190, 19_969)
    assert Counter(tuple(row["rules"]) for row in result.quarantined) == {
        ("missing_identity",): 3710
    }
    assert Counter(row["basis"] for row in built["fct_attributions"]) == {"none": 396_681}
