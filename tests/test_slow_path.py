"""The slow path: how a record is read."""

import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from sequen_dagster.contract.slow_path import RefusedError, compact_json, parse_slowly


def read(text: str | bytes, max_depth: int = 64) -> tuple[bytes, str, list[str]]:
    warnings: list[str] = []
    given = text if isinstance(text, bytes) else text.encode()
    compact, record = parse_slowly(given, max_depth=max_depth, warnings=warnings)
    return compact, msgspec.json.encode(record).decode(), warnings


def test_only_white_space_between_tokens_is_removed() -> None:
    assert compact_json(b' { "a b\\"\t" :\r\n[ 1 , "x" ] } ') == b'{"a b\\"\t":[1,"x"]}'


def test_numbers_keep_their_digits() -> None:
    text = '{"a":[1.10,1E5,-0,-0.0,1e999,%s]}' % ("9" * 5000)

    assert read(text)[1] == text


@pytest.mark.parametrize(
    ("text", "record"),
    [('{"a":1,"a":2}', '{"a":2}'), ('{"x":{"a":1,"\\u0061":2}}', '{"x":{"a":2}}')],
)
def test_last_of_duplicate_keys_counts(text: str, record: str) -> None:
    compact, parsed, warnings = read(text)

    assert (compact, parsed, warnings) == (text.encode(), record, ["duplicate_key"])


@pytest.mark.parametrize(
    ("text", "record", "warnings"),
    [
        ('{"uid":"\\ud800"}', {"uid": {}}, []),
        ('{"item_ids":["a","\\udfff"]}', {"item_ids": {}}, []),
        ('{"session_id":"\\ud800"}', {"session_id": {}}, []),
        ('{"note":"a\\ud800"}', {"note": "a\ufffd"}, ["lone_surrogate"]),
        ('{"uid":"\\ud83d\\ude00"}', {"uid": "\U0001f600"}, []),
    ],
)
def test_lone_surrogates_never_get_through(text: str, record: Any, warnings: list[str]) -> None:
    compact, parsed, warned = read(text)

    assert (compact, json.loads(parsed), warned) == (text.encode(), record, warnings)


@pytest.mark.parametrize(
    ("text", "rule"),
    [(b'{"a":"\xed\xa0\x80"}', "bad_encoding"), (b"[[[]]]", "too_deep"), (b"[[", "malformed_json"),
     (b"[[]]", "not_an_object"), (b'"[[[', "malformed_json"), (b'{"a":"\\', "malformed_json"),
     (b"\xef\xbb\xbf{}", "malformed_json"), (b"", "malformed_json")],
)  # fmt: skip
def test_refusals(text: bytes, rule: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read(text, max_depth=2)
    assert caught.value.rule == rule


def test_millions_of_escapes_take_no_extra_memory() -> None:
    text = b'{"a":"' + b"\\n" * 2_000_000

    tracemalloc.start()
    with pytest.raises(RefusedError):
        parse_slowly(text, max_depth=64, warnings=[])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(text)
