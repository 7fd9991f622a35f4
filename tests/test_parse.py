"""Splitting records into fields: two paths, one result."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.contract.convert import to_raw_values
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


def parsed(parser: Parser, text: bytes) -> tuple[object, ...]:
    chunk = RecordChunk()
    chunk.add(text, 1)
    found = parser.parse(chunk)
    codes = [sorted(set(one)) for one in found.warnings.values()]
    rules = [one.rule for one in found.unreadable]
    return found.properties, found.shapes, found.md5s, codes, rules


class SlowParser(Parser):
    """A parser without the fast path."""

    def _clean(self, _: bytes) -> None:
        return None


@settings(deadline=None)
@given(text=texts())
def test_fast_path_equals_slow_path(text: bytes) -> None:
    assert parsed(Parser(), text) == parsed(SlowParser(), text)


@settings(deadline=None)
@given(text=texts(), field=st.sampled_from(["uid", "rank", "dwell_ms", "item_ids"]))
def test_paths_agree_on_reserved_values(text: bytes, field: str) -> None:
    chunk = RecordChunk()
    chunk.add(b'{"%s":%s}' % (field.encode(), text), 1)
    fast, slow_path = (
        [to_raw_values(values).to_list() for _, values in parser.parse(chunk).columns()]
        for parser in (Parser(), SlowParser())
    )

    assert fast == slow_path


@pytest.mark.parametrize(
    "text", [b'{"uid":"u","a":[1,2.50,{"b":null}]}', b'{ "uid" : "u", "a" : "\\u00e9" }']
)
def test_clean_record_takes_the_fast_path(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("the slow path was taken")

    monkeypatch.setattr("sequen_dagster.contract.parse.parse_slowly", fail)

    assert parsed(Parser(), text)[-1] == []
