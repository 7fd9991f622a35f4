"""Lines are taken as records only where each is one JSON object, whatever stands around it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.exports.envelopes import EnvelopeRules
from sequen_dagster.exports.plain_lines import take_plain_lines

LIMIT = 60
LINES = st.sampled_from(
    [b'{"a":1}', b'{"a":"\xc3\xa9"}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b"{}", b"", b" {}",
     b"{} ", b"{}{}", b"{},{}", b"[{}]", b'{"a":[{}', b"{}]}", b'{"a":', b'{"a":NaN}', b'{"a":01}',
     b'{"a":1.}', b'{"a":"\\ud800"}', b'{"a":"\\u00e9"}', b'{"a":\x001}', b'{"a":"\t"}', b"{}\r",
     b'{"a"\r:1}', b"\r{}", b'{"a":"%s"}' % (b"x" * LIMIT), b'{"events":[{}]}', b'{"events":"["}',
     b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b"null", b"1}"]
)  # fmt: skip


def refuse(name: str) -> Any:
    raise ValueError(name)


def is_plain(line: bytes) -> bool:
    """Whether a line is an object by Python's own reader, which only lone surrogates pass."""
    line = line.removesuffix(b"\r")
    if not line.startswith(b"{") or len(line) > LIMIT or b"\r" in line or b"\\ud800" in line:
        return False
    try:
        value = json.loads(line.decode(), parse_constant=refuse)
    except ValueError:
        return False
    return line.endswith(b"}") and isinstance(value, dict) and b'"events":[' not in line


@settings(deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=6), has_returns=st.booleans())
def test_lines_are_taken_up_to_the_first_that_is_not_plain(
    lines: list[bytes], has_returns: bool
) -> None:
    given_lines = [line + b"\r" for line in lines] if has_returns else lines
    expected = []
    for line in given_lines:
        if not is_plain(line):
            break
        expected.append(line)
    taken, length = take_plain_lines(b"\n".join(given_lines), EnvelopeRules(), LIMIT)

    assert taken == [line.removesuffix(b"\r") for line in expected]
    assert length == len(b"\n".join(expected))


def test_each_line_is_proven_by_itself() -> None:
    # Joined by commas, the two lines are one object.
    with pytest.raises(ValueError, match="char"):
        json.loads(b'{"a":[{}')
    assert take_plain_lines(b'{"a":[{}\n{}]}', EnvelopeRules(), LIMIT) == ([], 0)
