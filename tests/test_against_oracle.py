"""The contract against the oracle: random JSON Lines files, every column of every row."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builders import RECEIPT, judge_file
from oracle import ExportFile, Judged, Number, is_json_lines, judge
from sequen_dagster.absence import WHITE_SPACE
from sequen_dagster.fields import ALIASES, FIELD_NAMES, STANDARD_TYPES

# near_standard_type: ours also knows misspellings. possible_personal_data: the oracle has none.
# lone_surrogate: ours, since the engine cannot store what the oracle keeps.
NOT_COMPARED = {"near_standard_type", "possible_personal_data", "lone_surrogate"}
NAMES = [*FIELD_NAMES, *ALIASES]
CUSTOM = ["a", "b.c", "geo", "\u00e9", "select", "", " x", "__proto__"]
TYPES = [*STANDARD_TYPES, "video_pause", "pageview", "Click"]
NUMBERS = ["0", "-0", "1", "3", "-1", "3.0", "3.5", "1e2", "1E5", "1e400", "2147483647",
           "2147483648", "9007199254740993", "1" + "0" * 22, "-0.0", "1.10", "0.0000005",
           "999999999999999.9999999", "1e15"]  # fmt: skip
TEXTS = ['""', '" "', '"\\u3000"', '"\\u001f"', '"x"', '"7"', '"007"', '"undefined"', '"NULL"',
         '"NaN"', '"\\u0000"', '"\\ud83d\\ude00"', '"\u00e4"', '"\\u00e4"', '"a\\":b"',
         '"a\\/b"', '"=cmd"', '"1.5"', '"1."', '"-5"', '" 1"']  # fmt: skip
OTHERS = ["null", "true", "false", "[]", "{}", '["a"]', '["a",1]', '["a",null]', '["",1]',
          "[1,2]", "[1.5]", "[[]]", '["a",true]', '[{"x":1}]', '{"k":{"l":[1]}}',
          '{"k":1,"k":2}']  # fmt: skip
TIMES = ['"2025-07-14T09:15:22.401Z"', '"2025-07-14"', '"2025-07-14 09:15"',
         '"2025-07-14T09:15:22.1234567+02:00"', '"2025-07-14t09:15:22 UTC"',
         '"2025-07-14T09:15:22-0530"', '"2024-02-30"', '"2025-07-14T24:00:00"',
         '"2025-07-14T09:15:60Z"', '"2000-01-01"', '"1999-12-31T23:59:59.999999Z"',
         '"2025-07-21T12:00:00Z"', '"2025-07-21T12:00:00.000001Z"',
         '"2025-07-21T12:00:00.0000009Z"', "1752484522", "1752484522.4019999999",
         '"1752484522401"', "1752484522401000", "1752484522401000999", "99999999999",
         "100000000000", '"9999-12-31T23:59:59-01:00"', '"0001-01-01T00:00:00+01:00"',
         '"0000-01-01T00:00:00Z"', "1.7524845221e9", '"2025-W29-1"']  # fmt: skip
LINES = ["", "  ", "\t\r", "null", "7", '"x"', "NaN", "{", "[1]", '{"a":"\t"}', '{"a":01}', "{}",
         '{"a":' + "[" * 63 + "]" * 63 + "}", '{"a":' + "[" * 64 + "]" * 64 + "}",
         '{"a":"' + "[" * 70]  # fmt: skip


class Writer:
    """Writes random files; the seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def file(self) -> bytes:
        lines = [self.line() for _ in range(self._random.randrange(1, 30))]
        lines += self._random.sample(lines, min(3, len(lines)))
        content = b"\n".join(lines)
        content += b"\n" if self.happens(0.7) else b""
        cut = len(content) - self._random.randrange(1, 6) if self.happens(0.2) else None
        return (b"\xef\xbb\xbf" if self.happens(0.1) else b"") + content[:cut]

    def line(self) -> bytes:
        kind = self._random.random()
        events = ", ".join(self.record() for _ in range(self._random.randrange(0, 3)))
        more = self._random.choice(["", ',"x":1', ',"type":null', ',"type":"click"'])
        text = self.record()
        if kind > 0.92:
            at = self._random.randrange(len(text))
            text = text[:at] + self._random.choice(["", "x", '"', ",", "}", "\\"]) + text[at + 1 :]
        elif kind > 0.88:
            text = self._random.choice(LINES)
        elif kind > 0.84:
            text = f'{{"events":[{events}]{more}}}'
        elif kind > 0.80:
            text = f"[{events}]"
        end = b"\xff" if self.happens(0.01) else b"\r" if self.happens(0.05) else b""
        return text.encode() + end

    def record(self) -> str:
        keys = [name for name in ("type", "original_timestamp", "uid") if self.happens(0.9)]
        keys += self._random.sample(NAMES, self._random.randrange(0, 6))
        keys += self._random.sample(CUSTOM, self._random.randrange(0, 3))
        if self.happens(0.9):
            keys = list(dict.fromkeys(keys))
        self._random.shuffle(keys)
        gap = self._random.choice(["", "", " ", "\t"])
        is_ascii, is_clean = self.happens(0.5), self.happens(0.6)
        pairs = (
            f"{json.dumps(key, ensure_ascii=is_ascii)}{gap}:{gap}{self.value(key, is_clean)}"
            for key in keys
        )
        return f"{{{gap}{f'{gap},{gap}'.join(pairs)}{gap}}}"

    def value(self, key: str, is_clean: bool) -> str:
        if is_clean and key in ("original_timestamp", "uid", "id"):
            number = self._random.randrange(3)
            return f'"2025-07-14T09:15:2{number}.401Z"' if "time" in key else f'"u{number}"'
        if self.happens(0.3):
            return self._random.choice(NUMBERS + TEXTS + OTHERS + TIMES)
        if key.endswith("timestamp"):
            return self._random.choice(TIMES)
        if key in ("rank", "dwell_ms"):
            return self._random.choice(NUMBERS)
        if key == "item_ids":
            return self._random.choice(['["a","b"]', '["a",7]', '[" "]'])
        return json.dumps(self._random.choice(TYPES if key == "type" else ["u1", "x", "7"]))

    def happens(self, share: float) -> bool:
        return self._random.random() < share


def exact(value: Any) -> Any:
    """JSON with numbers as their text, whichever side it comes from."""
    if isinstance(value, Number):
        return ("number", value.text)
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    return [exact(inner) for inner in value] if isinstance(value, list) else value


def parsed(properties: str) -> Any:
    def number(text: str) -> tuple[str, str]:
        return ("number", text)

    return json.loads(properties, parse_int=number, parse_float=number)


def told_type(event_type: str | None) -> str | None:
    """The type as the tables show it: the oracle shows what was sent, even a blank one."""
    is_type = event_type and event_type.strip(WHITE_SPACE) and "\0" not in event_type
    return event_type if is_type else None


def place(row: dict[str, Any]) -> tuple[int, int]:
    return row["source_line"], row["source_item"]


def warnings_of(result: Judged) -> dict[tuple[str, str], int]:
    counted: Counter[tuple[str, str]] = Counter()
    for (_, event_type, code), count in result.warnings.items():
        if code not in NOT_COMPARED:
            counted[told_type(event_type) or "(none)", code] += count
    return dict(counted)


def compare(folder: Path, content: bytes) -> None:
    expected = judge([ExportFile("default", "a.jsonl", content, RECEIPT)])
    verdict = judge_file(folder, content)

    assert verdict.places == [place(row) for row in expected.accepted]
    for row, other in zip(verdict.accepted, expected.accepted, strict=True):
        told = {name: row[name] for name in other} | {"properties": parsed(row["properties"])}
        assert told == other | {"properties": exact(other["properties"])}
    quarantined = {place(row): row for row in verdict.quarantined}
    assert quarantined.keys() == {place(row) for row in expected.quarantined}
    for other in expected.quarantined:
        row = quarantined[place(other)]
        assert (row["rules"], sorted(row["fields"])) == (other["rules"], other["fields"])
        assert row["type"] == told_type(other["type"])
    assert verdict.blank_lines == sum(expected.blank_lines.values())
    compared = {key: count for key, count in verdict.warnings.items() if key[1] not in NOT_COMPARED}
    assert compared == warnings_of(expected)


@pytest.mark.parametrize("seed", range(12))
def test_random_files_are_judged_as_the_oracle_judges_them(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    files = [content for _ in range(6) if is_json_lines(content := writer.file())]

    for content in files:
        compare(tmp_path, content)
