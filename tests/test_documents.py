"""Cutting JSON documents into their elements."""

import hashlib
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.exports.documents import DocumentScanner
from sequen_dagster.exports.records import Unreadable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


class Trickle(io.BytesIO):
    """A stream that gives little at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


def cut(content: bytes, limit: int = 10_000) -> list[tuple[int, int, Any]]:
    scanner = DocumentScanner(Trickle(content), start=b"", max_record_bytes=limit)
    return [
        (line, item, (text.rule, text.raw_bytes) if isinstance(text, Unreadable) else text)
        for line, item, text in scanner.elements()
    ]


@settings(deadline=None)
@given(values=st.lists(JSON), indent=st.sampled_from([None, 1]))
def test_elements_are_the_values_in_order(values: list[Any], indent: int | None) -> None:
    elements = cut(json.dumps(values, indent=indent).encode())

    assert [json.loads(text) for _, _, text in elements] == values
    assert [item for _, item, _ in elements] == list(range(1, len(values) + 1))


def test_lines_are_counted_inside_and_between_elements() -> None:
    assert cut(b'[\n{"a":\n1},\n\n[2],\n"x\\n"]') == [
        (2, 1, b'{"a":\n1}'), (5, 2, b"[2]"), (6, 3, b'"x\\n"')]  # fmt: skip


def test_envelope_gives_its_events() -> None:
    scanner = DocumentScanner(
        io.BytesIO(b'{"a": [{"events": []}], "events": [1], "z": "]"} '),
        start=b"",
        max_record_bytes=100,
    )

    assert list(scanner.elements()) == [(1, 1, b"1")]
    assert scanner.has_other_fields


@pytest.mark.parametrize(
    ("content", "elements"),
    [
        (b"[1", [(1, 1, b"1"), (1, 2, ("truncated_tail", 0))]),
        (b'["a', [(1, 1, ("truncated_tail", 2))]),
        (b"[1,", [(1, 1, b"1"), (1, 2, ("truncated_tail", 0))]),
        (b"[{", [(1, 1, ("truncated_tail", 1))]),
        (b"[,1]", [(1, 1, ("malformed_json", 3))]),
        (b"[1}", [(1, 1, b"1"), (1, 2, ("malformed_json", 1))]),
        (b"[1] 2", [(1, 1, b"1"), (1, 2, ("malformed_json", 1))]),
        (b'{"events": [1]', [(1, 1, b"1"), (1, 2, ("truncated_tail", 0))]),
        (b'{"events" [1]}', [(1, 1, ("malformed_json", 4))]),
        (b'{"a": 1}', [(1, 1, ("malformed_json", 1))]),
    ],
)
def test_broken_document_ends_in_one_unreadable_element(
    content: bytes, elements: list[tuple[int, int, Any]]
) -> None:
    assert cut(content) == elements


@pytest.mark.parametrize(
    "huge", [b'"' + b"\\\\" * 99 + b'\\""', b'{"a":"]}\\"", "b":[' + b"1," * 99 + b"1]}"]
)
def test_value_beyond_the_limit_is_passed_over_with_its_hash(huge: bytes) -> None:
    content = b"[1,\n" + huge + b",\n2]"
    scanner = DocumentScanner(Trickle(content), start=b"", max_record_bytes=50)

    first, (line, item, passed), last = list(scanner.elements())
    assert (first, last) == ((1, 1, b"1"), (3, 3, b"2"))
    assert isinstance(passed, Unreadable)
    assert (line, item, passed.rule, passed.raw_bytes) == (2, 2, "too_large", len(huge))
    assert passed.raw_sha256 == hashlib.sha256(huge).hexdigest()
