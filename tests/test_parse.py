"""Splitting records into fields: two paths, one result."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.contract.parse import Parser
from sequen_dagster.exports.records import RecordChunk

KEYS = st.sampled_from(["id", "uid", "rank", "a", "b.c", "\u00e9", 'q"', "events", ":"])
NUMBERS = st.sampled_from(["0", "-0", "1", "-1", "1.0", "1e5", "1E-7", "-0.0", "9" * 25, "1e999"])
STRINGS = st.sampled_from(
    ['""', '"x"', '" "', '":"', '"\\u00e9"', '"\u00e9"', '"\\/"', '"\\ud83d\\ude00"', '"\\ud800"',
     '"\\u0000"', '"\\":"', '"{["', '"-0]"', '"\\n"']
)  # fmt: skip
SPACE = st.sampled_from(["", "", " ", "\t", "\r\n"])
SCALARS = NUMBERS | STRINGS | st.sampled_from(["null", "true", "false"])


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(KEYS, values), max_size=5))
    ascii_only = draw(st.booleans())
    gap = draw(SPACE)
    body = ",".join(
        f"{gap}{json.dumps(key, ensure_ascii=ascii_only)}{gap}:{gap}{value}{gap}"
        for key, value in pairs
    )
    return f"{{{body}}}"


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return f"[{','.join(draw(st.lists(values, max_size=4)))}]"


VALUES = st.recursive(SCALARS, lambda inner: objects(inner) | arrays(inner), max_leaves=8)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Records, half of them damaged."""
    text = draw(objects(VALUES) | VALUES).encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        new = draw(st.sampled_from([b"", b'"', b",", b"}", b"\\", b"\xff", b"\0", b"x", b"1"]))
        text = text[:at] + new + text[at + draw(st.integers(0, 2)) :]
    return text


def parsed(parser: Parser, *texts: bytes) -> tuple[object, ...]:
    chunk = RecordChunk()
    for number, text in enumerate(texts, start=1):
        chunk.add(text, number)
    found = parser.parse(chunk)
    codes = {row: sorted(set(codes)) for row, codes in found.warnings.items()}
    rules = [(one.line, one.rule) for one in found.unreadable]
    return found.columns.rows(), found.lines, found.texts, codes, rules


class OneByOneParser(Parser):
    """A parser that reads every record by itself."""

    def _read_plain(self, _: object) -> list[Any]:
        return []


class SlowParser(OneByOneParser):
    """A parser without any fast path."""

    def _parse_fast(self, _: bytes) -> None:
        return None


@settings(deadline=None)
@given(text=texts())
def test_fast_path_equals_slow_path(text: bytes) -> None:
    assert parsed(OneByOneParser(), text) == parsed(SlowParser(), text)


@settings(deadline=None)
@given(text=texts(), field=st.sampled_from(["uid", "rank", "dwell_ms", "item_ids"]))
def test_paths_agree_on_reserved_values(text: bytes, field: str) -> None:
    record = b'{"%s":%s}' % (field.encode(), text)

    assert parsed(OneByOneParser(), record) == parsed(SlowParser(), record)


@pytest.mark.parametrize(
    "text", [b'{"uid":"u","a":[1,2.50,{"b":null}]}', b'{ "uid" : "u", "a" : "\\u00e9" }']
)
def test_clean_record_takes_the_fast_path(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("the slow path was taken")

    monkeypatch.setattr("sequen_dagster.contract.parse.parse_slowly", fail)

    assert parsed(OneByOneParser(), text)[-1] == []
