"""Reading JSON text: a sequence of values, recovery behind bad ones, envelopes, lineage, limits."""

import hashlib
import io
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.json_text import read_json_text
from sequen_dagster.exports.records import CHUNK_RECORDS, RecordChunk

BAD = "malformed_json"
CUT = "truncated_tail"
NO_OBJECT = "not_an_object"
# Line, item, and the text of a record or the rule and text of what is none.
Entry = tuple[int, int, str] | tuple[int, int, str, str]


def chunks_of(
    text: str | bytes, limit: int = 1 << 24, block: int = 1 << 20, **rules: Any
) -> list[RecordChunk]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(
        read_json_text(
            io.BytesIO(content),
            max_record_bytes=limit,
            rules=EnvelopeRules(**rules),
            block_bytes=block,
        )
    )


def read(
    text: str | bytes, limit: int = 1 << 24, block: int = 1 << 20, **rules: Any
) -> list[Entry]:
    """All records of a text, in the order of their places."""
    found: list[Entry] = []
    for chunk in chunks_of(text, limit, block, **rules):
        places = zip(chunk.lines, chunk.items, chunk.texts, strict=True)
        found += [(line, item, record.decode()) for line, item, record in places]
        found += [(one.line, one.item, one.rule, one.raw.decode("utf-8", "replace"))
                  for one in chunk.unreadable]  # fmt: skip
    return sorted(found, key=lambda entry: entry[:2])


def given_to(
    text: str, limit: int = 1 << 24, block: int = 1 << 20, **rules: Any
) -> list[dict[str, str]]:
    """What the envelopes around each record that can be read say, nearest first, in one."""
    found = []
    for chunk in chunks_of(text, limit, block, **rules):
        for position in range(len(chunk.texts)):
            said: dict[str, str] = {}
            for giver in reversed(chunk.givers.get(position, ())):
                said = said if giver.is_whole else {}
                said |= {name: value.decode() for name, value in giver.fields.items()}
            found.append(said)
    return found


def blank_lines(text: str) -> int:
    return sum(chunk.blank_lines for chunk in chunks_of(text))


@pytest.mark.parametrize("between", ["", " ", ",", "\n", "\r", "\r\n", "\x1e", "\ufeff", "\0",
                                     "\n\x1e{ ".replace("{", ""), " ,,\0\ufeff "])  # fmt: skip
def test_values_may_be_separated_by_any_gap_or_none(between: str) -> None:
    line = 2 if between[:1] in ("\n", "\r") else 1

    assert read(f'{{"a":1}}{between}{{"b":2}}') == [
        (1, 1, '{"a":1}'), (line, 3 - line, '{"b":2}')]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('[{"a":1},[{"b":2},[]],{"c":3}]', [(1, 1, '{"a":1}'), (1, 2, '{"b":2}'),
                                           (1, 3, '{"c":3}')]),
        ('{"events":[{"batch":[{"a":1}]},{"b":2}]}', [(1, 1, '{"a":1}'), (1, 2, '{"b":2}')]),
        ('[{"a":1}][{"b":2}]', [(1, 1, '{"a":1}'), (1, 2, '{"b":2}')]),
        ('{\n "a": 1\n}\n{\n "b": 2\n}', [(1, 1, '{\n "a": 1\n}'), (4, 1, '{\n "b": 2\n}')]),
        ('{"a":1}\r{"b":2}\r\r{"c":3}', [(1, 1, '{"a":1}'), (2, 1, '{"b":2}'), (4, 1, '{"c":3}')]),
        ('[{"a":1}{"b":2},,{"c":3},]', [(1, 1, '{"a":1}'), (1, 2, '{"b":2}'), (1, 3, '{"c":3}')]),
        (']},{"a":1}]}', [(1, 1, '{"a":1}')]),
    ],
)  # fmt: skip
def test_values_one_after_another(text: str, entries: list[Entry]) -> None:
    assert read(text) == entries


@pytest.mark.parametrize(
    ("inner", "entries"),
    [
        ('{"a":1}', [(1, 1, '{"a":1}')]),
        (' [{"a":1},2]\n', [(1, 1, '{"a":1}'), (1, 2, NO_OBJECT, "2")]),
        ('{"events":[{"a":1}]}', [(1, 1, '{"a":1}')]),
        ('["{}"]', [(1, 1, NO_OBJECT, '"{}"')]),
        ("[]", []),
        ('{"a":"\ud83d\ude00"}', [(1, 1, '{"a":"\U0001f600"}')]),
    ],
)
def test_string_stands_for_the_json_in_it_once(inner: str, entries: list[Entry]) -> None:
    assert read(json.dumps(inner)) == entries


@pytest.mark.parametrize("inner", ['{"a":1', '{"a":1}{}', '{"a":1,}', "1", "", '"{}"', "[x]"])
def test_string_of_anything_else_is_not_an_object(inner: str) -> None:
    assert read(json.dumps(inner)) == [(1, 1, NO_OBJECT, json.dumps(inner))]


def test_lone_surrogate_in_a_string_becomes_its_escape() -> None:
    assert read('"{\\"a\\":\\"\\ud800\\"}"') == [(1, 1, '{"a":"\\ud800"}')]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("7", [(1, 1, NO_OBJECT, "7")]),
        (
            '7{"a":1}true[null]"x""y"',
            [
                (1, 1, NO_OBJECT, "7"),
                (1, 2, '{"a":1}'),
                (1, 3, NO_OBJECT, "true"),
                (1, 4, NO_OBJECT, "null"),
                (1, 5, NO_OBJECT, '"x"'),
                (1, 6, NO_OBJECT, '"y"'),
            ],
        ),
        ("2025-03-01\n7", [(1, 1, BAD, "2025-03-01"), (2, 1, NO_OBJECT, "7")]),
        ('1"x"\n', [(1, 1, BAD, '1"x"')]),
        ('"x"1', [(1, 1, BAD, '"x"1')]),
        ("01 1. 1e -\n", [(1, 1, BAD, "01 1. 1e -")]),
        ('INFO {"a":1} {"b":2}', [(1, 1, BAD, 'INFO {"a":1}'), (1, 2, '{"b":2}')]),
        ("NaN", [(1, 1, BAD, "NaN")]),
    ],
)
def test_scalars(text: str, entries: list[Entry]) -> None:
    assert read(text) == entries


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        # where its own brackets close
        ('{"a":x} {"b":2}', [(1, 1, BAD, '{"a":x}'), (1, 2, '{"b":2}')]),
        ('{"a":{"}":[1,}]},{"b":2}', [(1, 1, BAD, '{"a":{"}":[1,}]}'), (1, 2, '{"b":2}')]),
        ('{"a":[1,}]\n{"b":2}', [(1, 1, BAD, '{"a":[1,}]'), (2, 1, '{"b":2}')]),
        # a string ends with its line
        ('{"a":"}\n{"b":2}', [(1, 1, BAD, '{"a":"}'), (2, 1, '{"b":2}')]),
        # where a brace is followed by one
        ('{"a":{"b":1}{"c":2}}', [(1, 1, BAD, '{"a":{"b":1}'), (1, 2, '{"c":2}')]),
        ('{"a":{"b":1} \x1e {"c":2}', [(1, 1, BAD, '{"a":{"b":1}'), (1, 2, '{"c":2}')]),
        ('{"a":{"b":1}\0{"c":2}}', [(1, 1, BAD, '{"a":{"b":1}\0{"c":2}}')]),
        # with its line
        ('{"a":\n{"b":1}\n{"c":2}', [(1, 1, BAD, '{"a":'), (2, 1, '{"b":1}'), (3, 1, '{"c":2}')]),
        ('{"a":1,\n"b":2,\n{"c":2}', [(1, 1, BAD, '{"a":1,'), (2, 1, BAD, '"b":2,'),
                                      (3, 1, '{"c":2}')]),
        # with the deeper lines behind it, and a closing one
        ('{\n "a": x,\n "b": 2\n}\n{"c":3}', [(1, 1, BAD, '{\n "a": x,\n "b": 2\n}'),
                                             (5, 1, '{"c":3}')]),
        ('{"a": x, {\n "b": 2\n}\n{"c":3}', [(1, 1, BAD, '{"a": x, {\n "b": 2\n}'),
                                            (4, 1, '{"c":3}')]),
        (' {"a": x, {\n}\n{"c":3}', [(1, 1, BAD, '{"a": x, {'), (3, 1, '{"c":3}')]),
        ('{"a": x, {\n "b"\n\n "c"\n{"d":4}', [(1, 1, BAD, '{"a": x, {\n "b"'),
                                              (4, 1, NO_OBJECT, '"c"'), (5, 1, '{"d":4}')]),
        ('oops\n {"b":2}', [(1, 1, BAD, "oops"), (2, 1, '{"b":2}')]),
        # in an array
        ('[oops,{"a":1}]', [(1, 1, BAD, "oops"), (1, 2, '{"a":1}')]),
        ('[oops{"a":1}]', [(1, 1, BAD, "oops"), (1, 2, '{"a":1}')]),
        ('[oops\n{"a":1}]{"b":2}', [(1, 1, BAD, "oops"), (2, 1, '{"a":1}'), (2, 2, '{"b":2}')]),
        ('[{"a":x},{"b":2}]', [(1, 1, BAD, '{"a":x}'), (1, 2, '{"b":2}')]),
        ('{"a":1,}\n{"a":1,,"b":2}', [(1, 1, BAD, '{"a":1,}'), (2, 1, BAD, '{"a":1,,"b":2}')]),
        ('[exporter 1.4.2] started 2025-03-01\n{"a":1}', [
            (1, 1, BAD, "exporter 1.4.2"), (1, 2, BAD, "started 2025-03-01"), (2, 1, '{"a":1}')]),
        # in front of the first object of an envelope
        ('{"events":[oops,{"a":1}]}', [(1, 1, BAD, "oops"), (1, 2, '{"a":1}')]),
        ('{"events":[[oops,{"b":x},["c"]],{"a":1}]}', [
            (1, 1, BAD, "oops"), (1, 2, BAD, '{"b":x}'), (1, 3, NO_OBJECT, '"c"'),
            (1, 4, '{"a":1}')]),
        ('{"events":[[{"b":\n    x,\n  "c":2\n  }],\n  {"a":1}]}', [
            (1, 1, BAD, '{"b":\n    x,\n  "c":2\n  }'), (5, 1, '{"a":1}')]),
        ('{"events":[[{"b":x],{"a":1}]}', [(1, 1, BAD, '{"events":[[{"b":x],{"a":1}]}')]),
        # an envelope that lost its end
        ('{"events":[{"a":1}]\n{"b":1}', [(1, 1, '{"a":1}'), (1, 2, BAD, ""), (2, 1, '{"b":1}')]),
        ('{"events":[{"a":1}]\n {"b":1}', [(1, 1, '{"a":1}'), (2, 1, BAD, '{"b":1}')]),
        ('{"events":[{"a":1}]\n\n {"b":1}', [(1, 1, '{"a":1}'), (1, 2, BAD, ""),
                                            (3, 1, '{"b":1}')]),
    ],
)  # fmt: skip
def test_bad_value_costs_itself(text: str, entries: list[Entry]) -> None:
    assert read(text) == entries


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (b'{"a":"\xff"}\n{"b":1}', [(1, 1, "bad_encoding", '{"a":"\ufffd"}'), (2, 1, '{"b":1}')]),
        (b'\xff\n{"b":1}', [(1, 1, "bad_encoding", "\ufffd"), (2, 1, '{"b":1}')]),
        (b'"\xff" 7,8\n9', [(1, 1, "bad_encoding", '"\ufffd" 7,8'), (2, 1, NO_OBJECT, "9")]),
        (
            b'{"a":"\xff",\n"b":1}',
            [(1, 1, "bad_encoding", '{"a":"\ufffd",'), (2, 1, BAD, '"b":1}')],
        ),
        ('{"a":1', [(1, 1, CUT, '{"a":1')]),
        ('{"a":"x\n\0,', [(1, 1, CUT, '{"a":"x')]),
        ('{"a":x', [(1, 1, BAD, '{"a":x')]),
        ("tru", [(1, 1, CUT, "tru")]),
        ('"x', [(1, 1, CUT, '"x')]),
        ("trux", [(1, 1, BAD, "trux")]),
        ('[{"a":1}', [(1, 1, '{"a":1}'), (1, 2, CUT, "")]),
        ('[\n{"a":1}\n,\n\n', [(2, 1, '{"a":1}'), (2, 2, CUT, "")]),
        ("[[", [(1, 1, CUT, "")]),
        ('[{"a":1},{"b"', [(1, 1, '{"a":1}'), (1, 2, CUT, '{"b"')]),
        ('{"events":[{"a":1}', [(1, 1, '{"a":1}'), (1, 2, CUT, "")]),
        ('{"events":[{"a":1}],"uid":"u', [(1, 1, '{"a":1}'), (1, 2, CUT, "")]),
        ('{"events":[{"a":1}]\n', [(1, 1, '{"a":1}'), (1, 2, CUT, "")]),
        ('{"events":[]\n', [(1, 1, CUT, '{"events":[]')]),
        ('{"events":[', [(1, 1, CUT, '{"events":[')]),
        ('{"events":[{"a":1}]"x":[1', [(1, 1, '{"a":1}'), (1, 2, CUT, "")]),
        ('{"events":[{"a":1}]"data":[d', [(1, 1, '{"a":1}'), (1, 2, BAD, '"data":[d')]),
    ],
)
def test_code_of_a_bad_value(text: str | bytes, entries: list[Entry]) -> None:
    assert read(text) == entries


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("\n \n\t\r\n", 3), ("  ", 1), ("[]\n", 1), ('{"events":[]}', 1), ("[\n]\n", 1),
     ("[[]]", 1), ('[{"a":1},\n\n{"b":2}]', 1), ('{\n\n"a":1}', 0), ("\ufeff\n{}", 1),
     ('"[]"', 1), ('{"uid":"u","events":[,]}', 1), ('{"events":[]]}', 1), ('{"":1,"data":[]', 0),
     ('{"events":[{}]\n\n]', 0), ('{"events":[{}]}\n\n]', 1)],
)  # fmt: skip
def test_blank_lines_are_counted_apart(text: str, count: int) -> None:
    assert blank_lines(text) == count


@pytest.mark.parametrize(
    ("text", "is_envelope"),
    [
        ('{"events":[{"a":1}]}', True),
        ('{"x":1,"records":[2,{"a":1}]}', True),
        ('{"events":["{}"]}', True),
        ('{"events":[1]}', False),
        ('{"events":{"a":1}}', False),
        ('{"items":[{"a":1}]}', False),
        ('{"type":"x","events":[{"a":1}]}', False),
        ('{"type":" ","events":[{"a":1}]}', True),
        ('{"events":[{"a":1}],"type":"x"}', False),
        ('{"rank":1,"events":[{"a":1}]}', False),
        ('{"rank":null,"events":[{"a":1}]}', True),
        ('{"rank":1,"events":[{"type":"x"}]}', True),
        ('{"rank":1,"events":[{"type":"x" 1}]}', True),
        ('{"rank":1,"events":[{"a":1 2},{"type":"x"}]}', False),
        ('{"rec_id":"NULL","events":[{"a":1}]}', True),
        ('{"page_type":"null","events":[{"a":1}]}', False),
        ('{"x":[1]],"events":[{"a":1}]]}', True),
        ('{"events":["x",["{}"],"{\\"a\\":1}"]}', True),
        ('{"id":"1","uid":"u","sid":"s","cid":"c","session_id":"s","events":[{"a":1}]}', True),
        ('{"\\u0065vents":[{"a":1}]}', True),
    ],
)
def test_which_object_is_an_envelope(text: str, is_envelope: bool) -> None:
    records = [entry[-1] for entry in read(text)]

    assert (text not in records) == is_envelope


def test_key_is_chosen_by_preference_among_those_that_hold_objects() -> None:
    assert read('{"data":[{"a":1}],"events":[{"b":1}]}') == [(1, 1, '{"b":1}')]
    assert read('{"data":[{"a":1}],"events":[]}') == [(1, 1, '{"a":1}')]
    assert read('{"a":[{"b":1}]}', keys=("a",)) == [(1, 1, '{"b":1}')]
    assert read('{"events":[{"b":1}]}', keys=("a",)) == [(1, 1, '{"events":[{"b":1}]}')]


def test_type_of_the_folder_makes_every_object_an_event() -> None:
    text = '{"events":[{"a":1}]}'

    assert read(text, folder={"type": b'"click"'}) == [(1, 1, text)]
    assert read(text, folder={"uid": b'"u"'}) == [(1, 1, '{"a":1}')]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"uid":"u","events":[{"a":1}],"sid":"s","x":1}', [{"uid": '"u"', "sid": '"s"'}]),
        ('{"session_id":7,"events":[{"a":1}]}', [{"session_id": "7"}]),
        ('{"uid":"u","events":[{"uid":"v","batch":[{"a":1}]},{"b":1}]}', [
            {"uid": '"v"'}, {"uid": '"u"'}]),
        ('{"uid":"u","events":[{"a":1}]}{"b":1}', [{"uid": '"u"'}, {}]),
        ('{"uid":"u","events":["{\\"a\\":1}"]}', [{"uid": '"u"'}]),
        ('{"uid":"u","events":[{"a":1},{"b":x},{"c":1}],"sid":"s"}', [
            {"uid": '"u"', "sid": '"s"'}, {"uid": '"u"', "sid": '"s"'}]),
        # behind a bad quote, a brace out of place, a missing comma at a line's begin
        ('{"uid":"u","events":[{"a":1},{"b":"x"y"},{"c":1}]}', [{"uid": '"u"'}]),
        ('{"uid":"u","events":[{"a":1},{"b":"x" "y"},{"c":1}]}', [{"uid": '"u"'}, {}]),
        ('{"uid":"u","events":[{"a":1},{"b":\x1e"y"},{"c":1}]}', [{"uid": '"u"'}, {}]),
        ('{"uid":"u","events":[{"a":1}},{"c":1}]}', [{"uid": '"u"'}, {}]),
        ('{"uid":"u","events":[\n{"a":1}\n{"c":1},{"d":1}]}', [{"uid": '"u"'}, {}, {}]),
        ('{"uid":"u","events":[\n{"a":1},\n{"c":1}{"d":1}]}', [{"uid": '"u"'}] * 3),
        # brackets that did not close
        ('{"uid":"u","events":[{"a":1},{"b":\n{"c":1}]}', [{"uid": '"u"'}, {}]),
        # behind the events a bad member
        ('{"uid":"u","events":[{"a":1}],"sid":"s","cid":oops}{"b":1}', [
            {"uid": '"u"', "sid": '"s"'}, {}]),
    ],
)  # fmt: skip
def test_what_an_envelope_gives(text: str, said: list[dict[str, str]]) -> None:
    assert given_to(text) == said


def test_bad_member_in_front_makes_the_envelope_the_bad_value() -> None:
    text = '{"uid":oops,"events":[{"a":1}]}'

    assert read(f'{text}\n{{"b":1}}') == [(1, 1, BAD, text), (2, 1, '{"b":1}')]


def test_bad_member_after_the_events_is_one_bad_value_with_the_rest() -> None:
    pretty = '{\n  "events": [\n    {"a":1}\n  ],\n  "x": oops,\n  "y": 1\n}\n{"b":1}'

    assert read('{"events":[{"a":1}],"x":oops,"y":1}{"b":1}') == [
        (1, 1, '{"a":1}'), (1, 2, BAD, '"x":oops,"y":1}'), (1, 3, '{"b":1}')]  # fmt: skip
    assert read(pretty) == [
        (3, 1, '{"a":1}'), (5, 1, BAD, '"x": oops,\n  "y": 1\n}'), (8, 1, '{"b":1}')]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"uid":"u","events":[{"a":1}]}', 0),
        ('{"x":1,"events":[{"a":1},{"b":1}]}', 1),
        ('{"events":[{"a":1}],"x":1}', 1),
        ('{"events":[{"a":1,}],"x":1}', 1),
        ('{"x":1,"events":[]}', 0),
    ],
)
def test_other_keys_of_an_envelope_are_counted_once(text: str, count: int) -> None:
    assert sum(chunk.envelopes_with_fields for chunk in chunks_of(text)) == count


def test_envelope_near_the_limit_gives_the_fields_after_its_events() -> None:
    text = '{"uid":"u","events":[{"a":1},{"b":1}],"sid":"s"}'

    assert given_to(text, limit=len(text)) == [{"uid": '"u"', "sid": '"s"'}] * 2
    assert given_to(text, limit=len(text) - 1) == [{"uid": '"u"'}] * 2


def test_longer_envelope_keeps_out_what_is_further_out() -> None:
    inner = '{"uid":"v","events":[{"a":1},{"b":1}]}'
    text = f'{{"uid":"u","sid":"s","events":[{inner},{{"c":1}}]}}'

    assert given_to(text, limit=len(inner))[0] == {"uid": '"v"', "sid": '"s"'}
    assert given_to(text, limit=len(inner) - 1)[0] == {"uid": '"v"'}


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_record_beside_the_limit(block: int) -> None:
    text = '{"a":"]}"}'
    content = f"[{text},\n{text[:-1]} }},\n{text}]"

    assert read(content, limit=len(text), block=block) == [
        (1, 1, text), (2, 1, "too_large", f"{text[:-1]} }}"), (3, 1, text)]  # fmt: skip


@pytest.mark.parametrize("block", [3, 1 << 20])
@pytest.mark.parametrize(
    "huge",
    [b'{"a":"' + b"\\\\" * 99 + b'\\""}', b'{"a":"]}\\"", "b":[' + b"1," * 99 + b"1]}",
     b'{"a":"' + b"[{" * 4000 + b'"}', b'"' + b"x" * 9000 + b'"'],
    ids=["slashes", "brackets", "open", "string"],
)  # fmt: skip
def test_value_beyond_the_limit_is_passed_over_with_its_hash(huge: bytes, block: int) -> None:
    chunks = chunks_of(b'[{"a":1},\n' + huge + b',\n{"b":2}]', limit=50, block=block)

    (passed,) = [one for chunk in chunks for one in chunk.unreadable]
    assert (passed.line, passed.item, passed.rule) == (2, 1, "too_large")
    assert (passed.raw_bytes, passed.raw_sha256) == (len(huge), hashlib.sha256(huge).hexdigest())
    assert [line for chunk in chunks for line in chunk.lines] == [1, 3]


def test_huge_record_that_lost_its_end_costs_its_line() -> None:
    huge = '{"a":"' + "x" * 500

    assert [entry[:3] for entry in read(f'{huge}\n{{"b":1}}\n', limit=99)] == [
        (1, 1, "too_large"), (2, 1, '{"b":1}')]  # fmt: skip


# -- properties -------------------------------------------------------------------------------

GOOD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text("ab\"\\{}[],:\n\u00e9", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), GOOD, max_size=3)
GARBAGE = st.text('{}[]",:\\ ax1-\t\x1e\0', max_size=12)
PIECES = st.lists(
    st.sampled_from(
        ['{"a":1}', '{"uid":"u","events":[', '{"b":2}', "]}", "[", "]", "{", "}", ",", "\n", "\n",
         "\r", "\r\n", " ", "  ", '"', '"x"', "oops", "tru", "12", ":", "\x1e", "\0", "\ufeff",
         '"k":', "\\", '{"a":x}', '{\n "a": x,\n "b": 1\n}', '"{\\"a\\":1}"', "\u00e9",
         '],"sid":"s"}', '],"type":"t"}', '{"data":[]', '{"a":"\\"}"}']
    ),
    max_size=14,
).map("".join)  # fmt: skip


def test_lone_carriage_return_in_an_object_ends_a_line() -> None:
    assert read('{"a":\r1}\n{"b":1}\n7\n')[1:] == [(3, 1, '{"b":1}'), (4, 1, NO_OBJECT, "7")]


@settings(deadline=None)
@given(
    values=st.lists(OBJECTS, min_size=1, max_size=5),
    garbage=st.lists(GARBAGE, min_size=6, max_size=6),
)
def test_garbage_lines_between_cost_no_good_value(values: list[Any], garbage: list[str]) -> None:
    lines: list[str] = []
    expected = []
    for value, junk in zip(values, garbage, strict=False):
        lines.append(f"x{junk}")
        lines.append(json.dumps(value))
        expected.append((len(lines), json.dumps(value)))
    found = [(line, text) for line, _, text, *rest in read("\n".join(lines)) if not rest]

    assert [entry for entry in found if entry[0] % 2 == 0] == expected


@settings(deadline=None)
@given(values=st.lists(OBJECTS, max_size=6), cut=st.integers(0, 200), indent=st.booleans())
def test_cut_text_gives_every_value_that_ended_before(
    values: list[Any], cut: int, indent: bool
) -> None:
    texts = [json.dumps(value, indent=1 if indent else None) for value in values]
    content = "\n".join(texts)[:cut]
    whole = [text for number, text in enumerate(texts)
             if len("\n".join(texts[: number + 1])) <= cut]  # fmt: skip
    good = [text for _, _, text, *rest in read(content) if not rest]

    assert good[: len(whole)] == whole


@settings(deadline=None, max_examples=300)
# An object that is looked at across the limit of the envelope around it.
@example(text='{"uid":"u","events":[{"a":"\\"}"}{"a":1}', block=1, limit=30)
# An object that is right up to the limit and no further.
@example(text='{\n"k":{"a":1}{"a":1}\r', block=1, limit=12)
@given(text=PIECES, block=st.integers(1, 9), limit=st.sampled_from([12, 30, 1 << 24]))
def test_blocks_of_any_size_give_the_same(text: str, block: int, limit: int) -> None:
    assert read(text, limit, block) == read(text, limit)
    assert given_to(text, limit, block) == given_to(text, limit)


@settings(deadline=None, max_examples=300)
@given(text=PIECES)
def test_line_and_item_are_unique_and_texts_never_overlap(text: str) -> None:
    found = read(text)
    places = [entry[:2] for entry in found]

    assert len(set(places)) == len(places)
    for line in {line for line, _ in places}:
        items = [item for at, item in places if at == line]
        assert items == list(range(1, len(items) + 1))
    if '"{' not in text:
        rest = text
        for _, _, *entry in found:
            if not entry[-1]:
                continue
            before, there, rest = rest.partition(entry[-1])
            assert there == entry[-1], before


@settings(deadline=None, max_examples=200)
@given(text=PIECES)
def test_what_is_read_is_json_and_no_envelope_is_left(text: str) -> None:
    for _, _, record, *rest in read(text):
        if not rest:
            assert isinstance(json.loads(record, parse_constant=pytest.fail), dict)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["[", '{"a":', '{"a":\n', "\\", "{", '"', "x\n", '"a\n', "{}{", "[{", "[x,", "[[x\n", "} ",
     '{"a":[\n', '{"a"\n', '{"a":1,\n', '{"a":{"b":1},\n"c":[{\n', '{"a":1}\nx\n',
     '{"events":[', '{"events":[{},\n', '{"events":[[x,', '{"events":[{"a":1}]\n',
     '{"rank":1,"events":[{"a":1 '],
)  # fmt: skip
def test_hostile_text_costs_linear_time_and_bounded_memory(piece: str) -> None:
    def cost(length: int) -> float:
        content = io.BytesIO((piece * (length // len(piece))).encode())
        before = time.process_time()
        for _ in read_json_text(content, max_record_bytes=1 << 14):
            pass
        return time.process_time() - before

    tracemalloc.start()
    cost(20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 16 * 1024 * 1024
    # Four times as long: 4 if linear, 16 if quadratic; a hundredth of a second for the clock.
    assert cost(240_000) < 8 * (cost(60_000) + 0.01)


def test_chunks_of_bad_values_are_bounded() -> None:
    text = b"x\n" * (2 * CHUNK_RECORDS) + b'{"a":'
    chunks = list(read_json_text(io.BytesIO(text), max_record_bytes=100))

    # The last of all is the one whose code depends on what follows, so it goes with the next.
    assert [len(chunk.unreadable) for chunk in chunks] == [CHUNK_RECORDS - 1] * 2 + [3]
    assert [one.rule for one in chunks[-1].unreadable] == ["malformed_json"] * 2 + [
        "truncated_tail"
    ]
