"""Random files of all that section 2 reads, whole and broken: the seed decides."""

import json
import random
import re

from sequen_dagster.fields import ALIASES, FIELD_NAMES, STANDARD_TYPES

NAMES = [*FIELD_NAMES, *ALIASES]
CUSTOM = ["a", "b.c", "geo", "\u00e9", "select", "", " x", "__proto__", "events", "data"]
TYPES = [*STANDARD_TYPES, "video_pause", "pageview", "Click"]
NUMBERS = ["0", "-0", "1", "3", "-1", "3.0", "3.5", "1e2", "1E5", "1e400", "2147483647",
           "2147483648", "9007199254740993", "1" + "0" * 22, "-0.0", "1.10", "0.0000005",
           "999999999999999.9999999", "1e15"]  # fmt: skip
TEXTS = ['""', '" "', '"\\u3000"', '"\\u001f"', '"x"', '"7"', '"007"', '"undefined"', '"NULL"',
         '"NaN"', '"\\u0000"', '"\\ud83d\\ude00"', '"\u00e4"', '"\\u00e4"', '"a\\":b"',
         '"a\\/b"', '"=cmd"', '"1.5"', '"1."', '"-5"', '" 1"', '"Guest"', '"-1"', '"0"', '"n/a"',
         '"(Not Set)"', '"[object Object]"', '"\\\\n"', '"nil"', '"true"', '"none "',
         '"00000000-0000-0000-0000-000000000000"', '"[\\"a\\"]"', '"[]"',
         '"{\\"type\\":\\"click\\"}"']  # fmt: skip
OTHERS = ["null", "true", "false", "[]", "{}", '["a"]', '["a",1]', '["a",null]', '["",1]',
          "[1,2]", "[1.5]", "[[]]", '["a",true]', '[{"x":1}]', '{"k":{"l":[1]}}',
          '{"k":1,"k":2}', '["a","Null"]', '["nan"]', '["guest"]']  # fmt: skip
TIMES = ['"2025-07-14T09:15:22.401Z"', '"2025-07-14"', '"2025-07-14 09:15"',
         '"2025-07-14T09:15:22.1234567+02:00"', '"2025-07-14t09:15:22 UTC"',
         '"2025-07-14T09:15:22-0530"', '"2024-02-30"', '"2025-07-14T24:00:00"',
         '"2025-07-14T09:15:60Z"', '"2000-01-01"', '"1999-12-31T23:59:59.999999Z"',
         '"2025-07-21T12:00:00Z"', '"2025-07-21T12:00:00.000001Z"',
         '"2025-07-21T12:00:00.0000009Z"', "1752484522", "1752484522.4019999999",
         '"1752484522401"', "1752484522401000", "1752484522401000999", "99999999999",
         "100000000000", '"9999-12-31T23:59:59-01:00"', '"0001-01-01T00:00:00+01:00"',
         '"0000-01-01T00:00:00Z"', "1.7524845221e9", '"2025-W29-1"', '"2025-07-14 09:15:22+00"',
         '"2025-07-14 09:15:22 -0130"', '"2025-07-14 09:15:22 +0000 UTC"', '"2025-07-14 09:15+2"',
         '"2025-07-14T09:15:22+02:00[Europe/Zurich]"', '"2025-07-14T09:15Z[UTC]"',
         '"2025-07-14T09:15:22  +02:00"', '"2025-07-14 UTC"', '"2025-07-14Z"', '"2025-07-14+02"',
         '"2025-07-14 09:15:22 UTC[x]"', '"2025-07-14 09:15:22+02 CEST"', '"0001-01-01"',
         '"0000-00-00 00:00:00"', '"0000-00-00T00:00:01Z"', '"0001-01-01 00:00:00 +0000 UTC"', "0",
         '"0.0"', '"1970-01-01T02:00:00+02:00"', '"1970-01-01"', '"9999-12-31"',
         '"2025-07-14T09:20:22.402Z"']  # fmt: skip
LINES = ["", "  ", "\t\r", "null", "7", '"x"', "NaN", "{", "[1]", '{"a":"\t"}', '{"a":01}', "{}",
         '{"a":' + "[" * 63 + "]" * 63 + "}", '{"a":' + "[" * 64 + "]" * 64 + "}",
         '{"a":"' + "[" * 70, "2025-07-14 09:15 INFO [main] started", "-- 12 rows --", "tru",
         '"a" "b"', "1 2 3", "]", "}", ",", "[[],[]]", '{"events":[]}', '  "a": 1,', "[a, {]",
         '{"a":1 "b":2}', '{"a":[1}', '"x": {"y": 1}']  # fmt: skip
EVENTS_KEYS = ["events", "batch", "data", "payload", "records"]
BETWEEN = ["\n"] * 6 + ["", ",", ",\n", "\n\n", "\r", "\r\n", "\x1e", "\n\x1e", "\ufeff", "\0", " "]
BREAKS = ["{", "}", "[", "]", '"', ",", ":", "\\", "\n", "\r", "\x1e", "\ufeff", "\0", "x", "1",
          "  ", "\n  ", "}{", "},{", "]}", '":', "\udcff"]  # fmt: skip
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def pretty(text: str, indent: int, level: int = 0) -> str:
    """Lay good JSON out over lines, every token as it is spelled."""
    lines, line, step = [], "", " " * indent
    for piece in TOKEN.findall(text):
        if piece in "}]":
            lines += [line] if line.strip() else []
            line, level = "", level - 1
        line = (line or step * level) + piece + (" " if piece == ":" else "")
        level += piece in "{["
        if piece in "{[,":
            lines.append(line)
            line = ""
    return "\n".join([*lines, line])


class Writer:
    """Writes random files; the seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def json_file(self, breaks: int) -> bytes:
        """A sequence of values, broken in so many places."""
        values = [self.value_of_sequence(2) for _ in range(self._random.randrange(1, 14))]
        values += self._random.sample(values, min(2, len(values)))
        between = self._random.choice([[self._random.choice(BETWEEN)], BETWEEN, ["\n"], ["\n"]])
        text = "".join(value + self._random.choice(between) for value in values)
        text = ("\ufeff" if self.happens(0.1) else "") + text
        for _ in range(breaks):
            text = self.broken(text)
        if breaks and self.happens(0.3):
            text = text[: self._random.randrange(len(text) + 1)]
        return text.encode("utf-8", "surrogateescape")

    def value_of_sequence(self, depth: int) -> str:
        """An event, an array, an envelope or a line of anything, laid out in some way."""
        kind = self._random.random() if depth else 0.0
        if kind > 0.93:
            return self._random.choice(LINES)
        if kind > 0.76:
            text = self.envelope(depth)
        elif kind > 0.68:
            text = self.array(depth)
        else:
            text = self.record(poor=depth < 2)
        if self.happens(0.06):
            return json.dumps(text, ensure_ascii=False)
        if self.happens(0.2):
            return pretty(text, self._random.choice([1, 2, 4]))
        return text

    def array(self, depth: int) -> str:
        """An array of records."""
        elements = [
            self.value_of_sequence(depth - 1) for _ in range(self._random.choice([0, 1, 1, 2, 3]))
        ]
        gap = self._random.choice([",", ",", ", ", ",\n", ",\n  "])
        return f"[{gap.join(elements)}]"

    def envelope(self, depth: int) -> str:
        """An object around records."""
        members = [f'"{self._random.choice(EVENTS_KEYS)}":{self.array(depth)}']
        names = ["uid", "sid", "cid", "client_id", "original_timestamp", "ingest_timestamp"]
        names += ["id", "sent_by", "rank", "type", "session_id", "server_timestamp", "rec_id"]
        weights = [4, 2, 2, 2, 4, 2, 1, 1, 0.3, 0.2, 1, 1, 0.2]
        chosen = self._random.choices(names, weights, k=self._random.randrange(0, 5))
        members += [f'"{name}":{self.value(name, self.happens(0.7))}' for name in chosen]
        if self.happens(0.9):
            members = list({member.partition(":")[0]: member for member in members}.values())
        if self.happens(0.1):
            members.append(f'"{self._random.choice(EVENTS_KEYS)}":{self._random.choice(OTHERS)}')
        self._random.shuffle(members)
        return "{" + self._random.choice([",", ", ", ",\n  "]).join(members) + "}"

    def broken(self, text: str) -> str:
        """Break a text in one place."""
        at = self._random.randrange(len(text) + 1)
        kind = self._random.random()
        if kind < 0.35:
            marks = [match.start() for match in re.finditer(r'[{}\[\],:"\n]', text)] or [0]
            at = self._random.choice(marks)
            return text[:at] + text[at + 1 :]
        if kind < 0.5:
            lines = text.split("\n")
            lines.insert(self._random.randrange(len(lines) + 1), self._random.choice(LINES))
            return "\n".join(lines)
        if kind < 0.75:
            marks = [match.start() for match in re.finditer(r'[{}\[\],:"\n]', text)]
            at = self._random.choice(marks or [at])
        return text[:at] + self._random.choice(BREAKS) + text[at:]

    def record(self, *, poor: bool = False) -> str:
        """An event; a poor one leaves much to its envelope."""
        share = 0.5 if poor else 0.9
        keys = [name for name in ("original_timestamp", "uid") if self.happens(share)]
        keys += ["type"] if self.happens(0.9) else []
        keys += self._random.sample(NAMES, self._random.randrange(0, 5))
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
        """A value for this key."""
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
            return self._random.choice(['["a","b"]', '["a",7]', '[" "]', '"[\\"a\\",\\"b\\"]"'])
        return json.dumps(self._random.choice(TYPES if key == "type" else ["u1", "x", "7"]))

    def folders(self) -> str:
        """Folders on the path of a file, most of which say something."""
        said = ["type=click", "type=page%5Fview", "uid=u%20x", "cid=undefined", "rank=3", "id=x",
                "original_timestamp=2025-07-14", "client_id=c", "day=1", "rank=x", "sid=",
                "cid=__HIVE_DEFAULT_PARTITION__", "page_type=home", "dwell_ms=1.50", "plain",
                "uid=%C3%A9%22", "server_timestamp=0"]  # fmt: skip
        return "".join(
            f"{part}/" for part in self._random.sample(said, self._random.choice([1, 2]))
        )

    def table(self, breaks: int, *, is_tsv: bool) -> bytes:
        """A file of delimited text."""
        names = ["type", "original_timestamp", "uid"]
        names += self._random.sample([name for name in NAMES if name not in names], 4)
        names += self._random.sample(["a", "b.c", "\u00e9"], 1)
        self._random.shuffle(names)
        delimiter = "\t" if is_tsv else self._random.choice([*",,,;\t|", "^"])
        rows = [self.row(names, delimiter, is_tsv) for _ in range(self._random.randrange(1, 12))]
        header = delimiter.join(names)
        if not is_tsv and delimiter != "^" and self.happens(0.1):
            header, *rows = [row.replace(delimiter, f"{delimiter} ") for row in [header, *rows]]
        if self.happens(0.1):
            rows.insert(self._random.randrange(len(rows)), header)
        lines = [header, *rows]
        if not is_tsv and (delimiter == "^" or self.happens(0.1)):
            lines.insert(0, f"sep={delimiter}")
        end = self._random.choice(["\n", "\n", "\r\n"])
        text = end.join(lines) + (end if self.happens(0.7) else "")
        in_header = text.index(header) + len(header) + 1
        for _ in range(breaks):
            is_in_header = self.happens(0.1)
            at = self._random.randrange(0 if is_in_header else in_header, len(text) + 2)
            pieces = ['"', delimiter, "\n", "x", '""', " ", "" if is_in_header else "\udcff"]
            text = (
                text[:at]
                + self._random.choice(pieces)
                + text[at + self._random.choice([0, 0, 1]) :]
            )
        text = ("\ufeff" if self.happens(0.1) else "") + text
        return text.encode("utf-8", "surrogateescape")

    def row(self, names: list[str], delimiter: str, is_tsv: bool) -> str:
        """A row of cells, now and then too short, too long or blank."""
        if self.happens(0.05):
            return self._random.choice(["", " ", delimiter * 2, delimiter * 9])
        cells = [self.cell(name, delimiter, is_tsv) for name in names]
        cells = cells[: self._random.randrange(3, 8)] if self.happens(0.1) else cells
        more = self._random.choice(["", "x"]) if self.happens(0.1) else None
        return delimiter.join(cells if more is None else [*cells, more])

    def cell(self, name: str, delimiter: str, is_tsv: bool) -> str:
        """A cell as it is written."""
        if self.happens(0.15):
            return self._random.choice(["", "NULL", "\\N", '"NULL"', '"\\N"', " ", '""', "null"])
        value = json.loads(self.value(name, self.happens(0.8)), parse_int=str, parse_float=str)
        text = value if isinstance(value, str) else json.dumps(value)
        text = re.sub("[\0\r\n\t\x1f]", "", text)
        if is_tsv:
            is_quoted = self.happens(0.2)
            return '"' + text.replace('"', '""') + '"' if is_quoted else text
        needs_quotes = delimiter in text or '"' in text or text.startswith(" ")
        if needs_quotes or self.happens(0.2):
            text = text + "\n" if self.happens(0.1) else text
            return '"' + text.replace('"', '""') + '"'
        return text

    def happens(self, share: float) -> bool:
        """Throw the dice."""
        return self._random.random() < share
