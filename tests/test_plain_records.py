"""Plainly clean records, read many at a time, become what each becomes by itself."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequen_dagster.contract.parse import ParsedChunk, Parser
from sequen_dagster.contract.plain_records import find_candidates
from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.exports.readers import ExportReader, ReadLimits
from sequen_dagster.exports.records import RecordChunk
from sequen_dagster.fields import ALIASES, FIELD_NAMES

KEYS = st.sampled_from(
    [*FIELD_NAMES, *ALIASES, "a", "b.c", "b", "c", "\u00e9", "", "context", "traits", "k" * 17,
     "k" * 25, "k" * 24 + "l", "x" * 300, "original_timestamP", "original_timestamq", "events", ":"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    ["0", "-0", "1", "-1", "1.0", "1.10", "1.1", "1e5", "1E-7", "-0.0", "0e5", "0.5", "9" * 25,
     "9007199254740993", "1e999", f"0.{0:070}1"]
)  # fmt: skip
PLAIN_TEXTS = st.sampled_from(
    ["", " ", "x", "\u00e9", "\u3000", "\u0085", ":", ",", "{[", "]}", "{}", "[]", "[1]", "null",
     "None", "no", "off", "offer", "0", "0.00", "-0", "0" * 80, "-" * 70, "n/a", "unknown", "false",
     "evt_0123456789", "12 bytes long", "exactly 12 b", "2025-07-14T09:15:22.401Z",
     "2025-07-14T09:15:22+02:00", "\x7f", "\U0001f600", "[Object object]", "{ }", '":', "a b"]
).filter(lambda text: '"' not in text)  # fmt: skip
STRINGS = st.one_of(
    PLAIN_TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    PLAIN_TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(['"\\u00e9"', '"\\/"', '"\\ud800"', '"\\u0000"', '"\\":"', '"\\n"']),
)
SCALARS = NUMBERS | STRINGS | st.sampled_from(["null", "true", "false"])
SPACE = st.sampled_from(["", "", "", " ", "\t", "\r\n"])


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(KEYS, values), max_size=6))
    gap = draw(SPACE)
    body = ",".join(
        f"{gap}{json.dumps(key, ensure_ascii=False)}{gap}:{gap}{value}{gap}" for key, value in pairs
    )
    return f"{{{body}}}"


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    gap = draw(SPACE)
    return f"[{gap}{f',{gap}'.join(draw(st.lists(values, max_size=4)))}]"


VALUES = st.recursive(SCALARS, lambda inner: objects(inner) | arrays(inner), max_leaves=12)
BYTES = [b"", b'"', b",", b"}", b"{", b"]", b"\\", b"\xff", b"\0", b"x", b"1", b"NaN",
         b"\xef\xbb\xbf", b" ", b":", b"\xed\xa0\x80", b"\n"]  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Records, some of them damaged."""
    text = draw(objects(VALUES)).encode()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(BYTES)) + text[at + draw(st.integers(0, 2)) :]
    return text


class OneByOneParser(Parser):
    """A parser that reads every record by itself."""

    def _read_plain(self, _: object) -> list[Any]:
        return []


def parse(parser: Parser, records: list[bytes]) -> ParsedChunk:
    chunk = RecordChunk()
    for number, text in enumerate(records, start=1):
        chunk.add(text, number)
    return parser.parse(chunk)


def facts(found: ParsedChunk) -> tuple[object, ...]:
    codes = {row: sorted(set(codes)) for row, codes in found.warnings.items()}
    return (
        found.columns.rows(),
        found.columns.schema,
        found.lines,
        found.texts,
        codes,
        found.unreadable,
    )


@settings(deadline=None, max_examples=200)
@given(records=st.lists(texts(), max_size=12), max_depth=st.sampled_from([1, 3, 64]))
@example(records=[b"{}"], max_depth=64)
@example(records=[b'{"a":"","b":{"c":""},"uid":""}'], max_depth=64)
@example(records=[b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a":[{"b":1,"b":2}]}'], max_depth=64)
@example(records=[b'{"sid":"x","session_id":"x"}', b'{"session_id":null}'], max_depth=64)
@example(records=[b'{"a":[{"b":1},{"b":2}],"c":[[{"b":1}]],"d":[{}]}'], max_depth=64)
@example(records=[b'{"a":' * 20 + b"1" + b"}" * 20, b'{"a":' * 9 + b"[]" + b"}" * 9], max_depth=64)
def test_many_at_a_time_become_what_each_becomes_by_itself(
    records: list[bytes], max_depth: int
) -> None:
    together = parse(Parser(max_depth=max_depth), records)

    assert facts(together) == facts(parse(OneByOneParser(max_depth=max_depth), records))


PLAIN = [
    b'{"id":"e1","type":"click","rank":1,"dwell_ms":1.50,"item_ids":["a","b"],"uid":null}',
    b'{"session_id":"s1","price":1.10,"geo":{"city":"Z\xc3\xbcrich","at":{"lat":-0.0}},"is":false}',
    b'{ "id": "e 2",\r\n\t"cart": [ { "sku": "a" }, { "sku": "b" } ], "v": [0.1, 2], "w": [[1]] }',
    b"{}",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_record_is_read_with_others(text: bytes) -> None:
    assert parse(Parser(), [text]).plain_records == 1


@pytest.mark.parametrize(
    "text",
    [b'{"a":1,"a":2}', b'{"a":"\\u00e9"}', b'{"a":[{"b":1,"b":1}]}', b'{"cid":"c","client_id":"d"}',
     b'{"a":"\xff"}', b'{"a":' * 9 + b"1" + b"}" * 9, b'{"%s":1}' % (b"k" * 257), b"[]", b"{",
     b'{"a":"%s"}' % (b"x" * (1 << 16)), b""],
)  # fmt: skip
def test_any_other_record_is_read_by_itself_and_costs_no_plain_one_its_way(text: bytes) -> None:
    found = parse(Parser(), [PLAIN[0], text, PLAIN[1]])

    assert found.plain_records == 2
    assert facts(found) == facts(parse(OneByOneParser(), [PLAIN[0], text, PLAIN[1]]))


def test_records_of_a_folder_or_an_envelope_are_read_by_themselves() -> None:
    chunk = RecordChunk(folder={"uid": b'"u1"'})
    chunk.add(b'{"id":"e1"}', 1)

    assert Parser().parse(chunk).plain_records == 0


def test_very_many_keys_are_read_by_themselves() -> None:
    records = [b'{"key%d":1}' % number for number in range(1_100)]
    found = parse(Parser(), records)

    assert found.plain_records == 0
    assert facts(found) == facts(parse(OneByOneParser(), records))


def chunks_of(path: Path) -> Iterator[RecordChunk]:
    status = path.stat()
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
    file = ExportFile("s", path.name, str(path), status.st_size, modified_at)
    with ExportReader(file, ReadLimits()) as reader:
        try:
            yield from reader.chunks()
        except UnreadableFileError:
            return


def test_real_files_are_read_the_same_and_most_records_many_at_a_time(test_data: Path) -> None:
    plain = records = 0
    for path in sorted(path for path in test_data.rglob("*.jsonl*") if path.is_file()):
        parser, other = Parser(), OneByOneParser()
        for chunk in chunks_of(path):
            found, expected = parser.parse(chunk), other.parse(chunk)
            assert found.columns.equals(expected.columns), path.name
            assert facts(found)[1:] == facts(expected)[1:], path.name
            plain += found.plain_records
            records += len(found.texts)

    assert records > 10_000
    assert plain > 0.9 * records


def test_lines_are_proven_by_the_reader_and_blocks_keep_their_order(tmp_path: Path) -> None:
    bad = b'{"id":"bad","a":1,"a":2}'
    lines = [b'{"id":"e%d","type":"scroll","n":%d.50}' % (n, n) for n in range(20_000)]
    lines[7::1_000] = [bad] * len(lines[7::1_000])
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    (chunk,) = chunks_of(path)
    found = Parser().parse(chunk)

    assert chunk.unproven == []
    assert found.plain_records == len(lines) - lines.count(bad)
    assert found.columns["id"].to_list() == [json.loads(line)["id"] for line in lines]
    assert sorted(found.warnings) == list(range(7, 20_000, 1_000))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_that_hold_nothing_leave_the_others_proven(tmp_path: Path, end: bytes) -> None:
    lines = [b'{"id":"e%d","type":"scroll"}' % n for n in range(5_000)]
    lines[10::100] = [b""] * 50
    lines[11] = b""
    path = tmp_path / "events.jsonl"
    path.write_bytes(end.join(lines) + end)
    (chunk,) = chunks_of(path)

    assert chunk.unproven == []
    assert chunk.blank_lines == 51
    assert chunk.lines == [line for line, text in enumerate(lines, start=1) if text]
    assert chunk.texts == [text for text in lines if text]


def test_record_that_is_not_proven_does_not_keep_its_neighbors_from_being_plain() -> None:
    texts = [b'{"a":1}', b'{"a":', b'{"a":"\\u0041"}', b'{"a":"\xff"}', b'{"a":2}']

    assert find_candidates(texts, np.arange(5)).tolist() == [0, 4]
    assert find_candidates(texts[::4], np.arange(0)).tolist() == [0, 1]


def test_records_that_are_mostly_not_plain_are_tried_ever_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sequen_dagster.contract.parse.BLOCK_RECORDS", 10)
    tried: list[int] = []
    parser = Parser()
    read = parser._plain.read
    monkeypatch.setattr(
        parser._plain, "read", lambda texts, **how: tried.append(len(texts)) or read(texts, **how)
    )
    found = parse(parser, [b'{"a":1,"a":2}'] * 400 + [b"{}"] * 400)

    # Every block at first, then one of 2, of 4, of 8, of 16; the last of them is plain.
    assert len(tried) < 40
    assert found.plain_records > 0
    assert found.columns["properties"].to_list() == ['{"a":2}'] * 400 + ["{}"] * 400
