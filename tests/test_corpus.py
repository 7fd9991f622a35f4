"""The corpus of bad inputs as files on disk, taken in by the lake: exact counts, a reason by type,
no file that fails, none that takes long, and not a row of a neighbor lost.

The tests of the readers and the contract show the values.
"""

import gzip
import io
import json
import stat
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.lake.commits import Batch, RecordCounts
from sequen_dagster.lake.drain import FileFailure
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event, good
from support.homes import set_modified_at, settings_of
from support.lake import drain, lake_of

# A small file takes some 40 ms; the machines that run this may be busy.
MOST_SECONDS = 20.0
MOST_SECONDS_HEAVY = 90.0


@dataclass(frozen=True)
class Input:
    """One bad file.

    Attributes:
        name: its path under the location.
        content: its bytes, or what makes them where they are many.
        accepted: how many records of it are good.
        rules: records by rule broken.
        quarantined: how many records are bad, where some break several rules.
        blank_lines: lines that hold nothing.
        warned: the warnings of its records.
    """

    name: str
    content: bytes | Callable[[], bytes]
    accepted: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    quarantined: int | None = None
    blank_lines: int = 0
    warned: frozenset[str] = frozenset()

    @property
    def record_counts(self) -> RecordCounts:
        """The record counts that the file must have."""
        bad = sum(self.rules.values()) if self.quarantined is None else self.quarantined
        return RecordCounts(
            records_read=self.accepted + bad,
            accepted=self.accepted,
            quarantined=bad,
            blank_lines=self.blank_lines,
        )


@dataclass(frozen=True)
class Taken:
    """What one drain made of the files of the corpus."""

    settings: SequenSettings
    batches: dict[str, Batch]
    seconds: dict[str, float]
    failures: tuple[FileFailure, ...]


def row(event_type: str = "scroll", **fields: Any) -> bytes:
    return json.dumps(event(event_type, **{"id": "bad", **fields})).encode()


def raw(text: bytes, **fields: Any) -> bytes:
    """A record with a text that JSON's own writer would not write, in place of `"#"`."""
    return row(**fields).replace(b'"#"', text)


def among_good(*lines: bytes) -> bytes:
    return b"\n".join([good(1).encode(), *lines, good(2).encode(), b""])


def zipped(name: str, *, is_link: bool = False) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16 if is_link else 0
        archive.writestr(member, "/etc/passwd" if is_link else LINES)
    return content.getvalue()


def parquet(rows_per_group: int = 1000, **columns: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content, row_group_size=rows_per_group)
    return content.getvalue()


def scrolls(count: int, **columns: Any) -> dict[str, Any]:
    return {
        "type": ["scroll"] * count,
        "original_timestamp": ["2025-07-14"] * count,
        "uid": ["u1"] * count,
        **columns,
    }


def csv(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in ("type,original_timestamp,uid,note", *lines)).encode()


def bomb_of_many_lines() -> bytes:
    return gzip.compress(b'{"a":"%s"}\n' % (b"x" * 1000) * 90_000, mtime=0)


def bomb_of_one_line() -> bytes:
    return gzip.compress(b'{"a":"%s"}' % (b"x" * 90_000_000), mtime=0)


def rows_without_end() -> bytes:
    endless = pa.DictionaryArray.from_arrays(pa.array(np.zeros(70_000_000, np.int8)), ["scroll"])
    return parquet(70_000_000, type=endless)


def line_of_20_mb() -> bytes:
    return among_good(row(note="x" * 20_000_000))


LINES = "".join(f"{good(number)}\n" for number in range(200)).encode()
PACKED = gzip.compress(LINES, mtime=0)
FLIPPED = bytes(byte ^ 0xFF if 300 < place < 340 else byte for place, byte in enumerate(PACKED))
TABLE = parquet(**scrolls(500))
ROW = "scroll,2025-07-14,u1,x"
bad_input = pytest.mark.bad_input


# What is given: the file, how many of its records are good, the others by rule.
FILES = [
    pytest.param(Input("1.jsonl", b""), marks=bad_input(1)),
    pytest.param(Input("2.jsonl.gz", gzip.compress(b"", mtime=0)), marks=bad_input(2)),
    pytest.param(
        Input("3.jsonl.gz", PACKED[: len(PACKED) // 2], 0, {"corrupt_compression": 1}),
        marks=bad_input(3),
    ),
    pytest.param(
        Input("4.jsonl.gz", PACKED[:-8], 0, {"corrupt_compression": 1}), marks=bad_input(4)
    ),
    pytest.param(Input("5.jsonl.gz", FLIPPED, 0, {"corrupt_compression": 1}), marks=bad_input(5)),
    pytest.param(
        Input("6.jsonl.gz", PACKED + b"garbage", 0, {"corrupt_compression": 1}),
        marks=bad_input(6),
    ),
    pytest.param(Input("7.jsonl.gz", PACKED + PACKED, 400), marks=bad_input(7)),
    pytest.param(Input("8.jsonl.gz", LINES, 200), marks=bad_input(8)),
    pytest.param(Input("9.jsonl", PACKED, 200), marks=bad_input(9)),
    pytest.param(
        Input("12.gz", gzip.compress(PACKED, mtime=0), 0, {"unsupported_format": 1}),
        marks=bad_input(12),
    ),
    pytest.param(
        Input("12.zip.gz", gzip.compress(zipped("a"), mtime=0), 0, {"unsupported_format": 1}),
        marks=bad_input(12),
    ),
    pytest.param(
        Input("13.zip", zipped("../x"), 0, {"unsupported_format": 1}), marks=bad_input(13)
    ),
    pytest.param(
        Input("14.zip", zipped("a.jsonl", is_link=True), 0, {"unsupported_format": 1}),
        marks=bad_input(14),
    ),
    pytest.param(
        Input("15.parquet", TABLE[: len(TABLE) // 2], 0, {"corrupt_parquet": 1}),
        marks=bad_input(15),
    ),
    pytest.param(Input("15b.parquet", TABLE[:-4], 0, {"corrupt_parquet": 1}), marks=bad_input(15)),
    pytest.param(Input("16.parquet", parquet(100, **scrolls(500)), 500), marks=bad_input(16)),
    pytest.param(
        Input(
            "16b.parquet",
            parquet(**scrolls(2, uid=[{"a": 1}, None], rank=[1.5, 2.0])),
            0,
            {"invalid_uid": 1, "invalid_rank": 1, "missing_identity": 1},
            quarantined=2,
        ),
        marks=bad_input(16),
    ),
    pytest.param(Input("17.jsonl", b"\xef\xbb\xbf" + LINES, 200), marks=bad_input(17)),
    pytest.param(
        Input("18.jsonl", LINES.decode().encode("utf-16"), 0, {"unsupported_format": 1}),
        marks=bad_input(18),
    ),
    pytest.param(
        Input("18b.jsonl", good().encode("utf-16-be"), 0, {"unsupported_format": 1}),
        marks=bad_input(18),
    ),
    pytest.param(
        Input(
            "19.jsonl", among_good('{"note": "caf\u00e9"}'.encode("latin-1")), 2,
            {"bad_encoding": 1}),
        marks=bad_input(19),
    ),
    pytest.param(Input("20.jsonl", LINES.replace(b"\n", b"\r\n"), 200), marks=bad_input(20)),
    pytest.param(Input("21.jsonl", LINES.replace(b"\n", b"\r"), 200), marks=bad_input(21)),
    pytest.param(Input("22.jsonl", LINES[:-1], 200), marks=bad_input(22)),
    pytest.param(
        Input("24.jsonl", b"1\n" * 5_000, 0, {"not_an_object": 5_000}), marks=bad_input(24)
    ),
    pytest.param(
        Input("25.jsonl", b"[" + LINES[:-1].replace(b"\n", b",\n") + b"]", 200),
        marks=bad_input(25),
    ),
    pytest.param(
        Input(
            "26.json", b"[" + LINES[:-9].replace(b"\n", b",\n"), 199, {"truncated_tail": 1}),
        marks=bad_input(26),
    ),
]  # fmt: skip
RECORDS = [
    pytest.param(
        Input("37.jsonl", among_good(b'{"uid": "\xc0\x80"}'), 2, {"bad_encoding": 1}),
        marks=bad_input(37),
    ),
    pytest.param(
        Input("38.jsonl", among_good(raw(b'"a\0"', uid="#")), 2, {"malformed_json": 1}),
        marks=bad_input(38),
    ),
    pytest.param(
        Input(
            "39.jsonl", among_good(row(id="a\0"), row(uid="a\0"), row(note="a\0")), 3,
            {"invalid_id": 1, "invalid_uid": 1}),
        marks=bad_input(39),
    ),
    pytest.param(
        Input(
            "40.jsonl", among_good(row(uid="\ud800"), row(note="\ud800")), 3, {"invalid_uid": 1},
            warned=frozenset({"lone_surrogate"})),
        marks=bad_input(40),
    ),
    pytest.param(
        Input(
            "41.jsonl", among_good(row(a=1)[:-1] + b', "a": 2, "uid": "u2"}'), 3,
            warned=frozenset({"duplicate_key"})),
        marks=bad_input(41),
    ),
    pytest.param(
        Input("42.jsonl", among_good(row(UID=1, Uid=2, a=1, A=2)), 3), marks=bad_input(42)
    ),
    pytest.param(
        Input(
            "43.jsonl",
            among_good(row(**{"__proto__": 1, "constructor": {"a": 2}, "": 3, "k" * 10_000: 4})),
            3),
        marks=bad_input(43),
    ),
    pytest.param(
        Input(
            "44.jsonl",
            among_good(
                raw(b"[" * 65 + b"]" * 65, a="#"),
                b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
                b"[" * 100_000,
            ),
            2, {"too_deep": 3}),
        marks=bad_input(44),
    ),
    pytest.param(
        Input(
            "45.jsonl",
            among_good(
                raw(b"NaN", a="#"), raw(b"-Infinity", a="#"), raw(b"1e999", rank="#"),
                raw(b"1e999", a="#"), raw(b"-0", a="#", rank=0)),
            4, {"malformed_json": 2, "invalid_rank": 1}),
        marks=bad_input(45),
    ),
    pytest.param(
        Input(
            "46.jsonl", among_good(row(uid=9007199254740993, item_id=10**22)), 3,
            warned=frozenset({"coerced"})),
        marks=bad_input(46),
    ),
    pytest.param(
        Input(
            "47.jsonl",
            among_good(
                *(row(uid=uid) for uid in ("00123", "1e5", "true", "null", "NaN", "None", " ",
                                           "undefined")),
                *(row(item_id=one) for one in ("null", "NaN", " ", '"undefined"')),
            ),
            8, {"missing_identity": 6}, warned=frozenset({"placeholder_id"})),
        marks=bad_input(47),
    ),
    pytest.param(
        Input(
            "48.jsonl", among_good(*(row(uid=uid) for uid in ("u", 7, 1.5, True, [], {"a": 1}))), 4,
            {"invalid_uid": 2, "missing_identity": 2},
            warned=frozenset({"coerced", "placeholder_id"})),
        marks=bad_input(48),
    ),
    pytest.param(
        Input("49.jsonl", among_good(row(item_id="x" * 1_000_000)), 3), marks=bad_input(49)
    ),
    pytest.param(
        Input(
            "50.jsonl",
            among_good(
                *(row(original_timestamp=at) for at in (
                    1_752_484_522, 1_752_484_522_401, 1_752_484_522_401_000,
                    1_752_484_522_401_000_000, "1752484522", "2025-07-14T09:15:22+05:30",
                    "2024-02-30", "2016-12-31T23:59:60Z", "01/02/2024", "9999-12-31", "0001-01-01",
                    -1, "2025-07-14T24:00:00"))),
            8, {"invalid_original_timestamp": 7}),
        marks=bad_input(50),
    ),
    pytest.param(
        Input(
            "51.jsonl",
            among_good(*(row("conversion", order_total=one) for one in ("1,99", "$5", -5, 1e308)),
                       *(row(dwell_ms=one) for one in ("1,99", "$5", -5, 1e308))),
            6, {"invalid_dwell_ms": 4}),
        marks=bad_input(51),
    ),
    pytest.param(
        Input("52.jsonl", among_good(*(row(quantity=one) for one in (0, -1, 1.5))), 5),
        marks=bad_input(52),
    ),
    pytest.param(
        Input("53.jsonl", among_good(row(**{f"f{number}": number for number in range(10_000)})), 3),
        marks=bad_input(53),
    ),
    pytest.param(
        Input("54.jsonl", among_good(row("conversion", item_ids=["x"] * 100_000)), 3),
        marks=bad_input(54),
    ),
    pytest.param(
        Input(
            "55.jsonl",
            among_good(row(_batch_id=1, select=2, source_line=3, properties=4, rank__state=5)), 3),
        marks=bad_input(55),
    ),
    pytest.param(
        Input(
            "56.jsonl",
            among_good(row(
                uid="=cmd|'/C calc'!A0", type="@x", item_id="+1", sid="-1", cid="\tx",
                note="\uff1dx")),
            3),
        marks=bad_input(56),
    ),
    pytest.param(
        Input(
            "57.jsonl",
            among_good(row(
                uid="<script>alert(1)</script>", type="<img onerror=x>", item_id="javascript:x",
                note="]]>")),
            3),
        marks=bad_input(57),
    ),
    pytest.param(
        Input(
            "58.csv", csv(ROW, "scroll,2025-07-14", f"{ROW},more", ROW), 2,
            {"malformed_csv": 1, "missing_identity": 1}),
        marks=bad_input(58),
    ),
    pytest.param(
        Input("58b.csv", csv(ROW, 'scroll,"2025,u1,x', ROW, ROW), 3, {"malformed_csv": 1}),
        marks=bad_input(58),
    ),
    pytest.param(
        Input(
            "58c.csv", csv(ROW).replace(b"note", b"uid"), 1, warned=frozenset({"duplicate_key"})),
        marks=bad_input(58),
    ),
    pytest.param(Input("58d.csv", csv(ROW).replace(b",", b";"), 1), marks=bad_input(58)),
    pytest.param(Input("58e.csv", csv()), marks=bad_input(58)),
    pytest.param(
        Input("58f.csv", csv('scroll,2025-07-14,u1,"two\nlines"', ROW), 2), marks=bad_input(58)
    ),
]  # fmt: skip
HEAVY = [
    pytest.param(Input("10.gz", bomb_of_many_lines, 0, {"too_compressed": 1}), marks=bad_input(10)),
    pytest.param(Input("11.gz", bomb_of_one_line, 0, {"too_compressed": 1}), marks=bad_input(11)),
    pytest.param(Input("23.jsonl", line_of_20_mb, 2, {"too_large": 1}), marks=bad_input(23)),
    pytest.param(
        Input("24.parquet", rows_without_end, 0, {"too_compressed": 1}), marks=bad_input(24)
    ),
]


def inputs_of(cases: list[Any]) -> list[Input]:
    return [value for case in cases for value in case.values]


def write(settings: SequenSettings, name: str, content: bytes) -> Path:
    target = settings.sources[0].exports / name
    target.write_bytes(content)
    set_modified_at(target, RECEIVED_AT)
    return target


def take_in(folder: Path, inputs: list[Input]) -> Taken:
    """Drain a place that holds the inputs, and a good file before and behind them."""
    settings = settings_of(folder)
    for name in ("!first.jsonl", "~last.jsonl"):
        write(settings, name, among_good())
    for given in inputs:
        content = given.content if isinstance(given.content, bytes) else given.content()
        write(settings, given.name, content)
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def tick(_done: int, _total: int, path: str) -> None:
        nonlocal began
        seconds[path] = time.monotonic() - began
        began = time.monotonic()

    drained = drain(settings, on_file=tick)
    batches = {batch.path: batch for batch in drained.batches}
    return Taken(settings, batches, seconds, drained.failures)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return take_in(tmp_path_factory.mktemp("corpus"), inputs_of([*FILES, *RECORDS]))


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return take_in(tmp_path_factory.mktemp("heavy"), inputs_of(HEAVY))


def assert_taken(taken: Taken, given: Input, most_seconds: float) -> None:
    batch = taken.batches[given.name]
    lake = lake_of(taken.settings)
    broken = {one.rule: one.records for one in batch.rule_counts if one.severity == "error"}
    warned = {one.rule for one in batch.rule_counts if one.severity == "warning"}

    assert broken == given.rules
    assert batch.record_counts == given.record_counts
    assert given.warned <= warned
    assert sum(pl.read_parquet(lake.rows(name)).height for name in batch.events) == given.accepted
    quarantined = sum(pl.read_parquet(lake.rows(name)).height for name in batch.quarantine)
    assert quarantined == given.record_counts.quarantined
    assert taken.seconds[given.name] < most_seconds


@pytest.mark.slow
@pytest.mark.parametrize("given", [*FILES, *RECORDS], ids=lambda given: given.name)
def test_bad_input_has_exact_counts_and_reasons(taken: Taken, given: Input) -> None:
    assert_taken(taken, given, MOST_SECONDS)


def test_bad_inputs_cost_no_other_file(taken: Taken) -> None:
    assert taken.failures == ()
    assert len(taken.batches) == len(FILES) + len(RECORDS) + 2
    for name in ("!first.jsonl", "~last.jsonl"):
        assert taken.batches[name].record_counts == RecordCounts(records_read=2, accepted=2)


@pytest.mark.slow
@pytest.mark.parametrize("given", HEAVY, ids=lambda given: given.name)
def test_heavy_input_has_exact_counts_and_reasons(heavy: Taken, given: Input) -> None:
    assert_taken(heavy, given, MOST_SECONDS_HEAVY)


@pytest.mark.slow
def test_tables_are_built_of_the_corpus(taken: Taken) -> None:
    outcome = run_pipeline(taken.settings)

    assert (outcome.failures, outcome.failed_checks) == ((), ())
    with duckdb.connect(Home(taken.settings.home).serving.snapshot, read_only=True) as snapshot:
        shown = snapshot.execute(
            "select path, records_read, accepted, quarantined, blank_lines from rpt_batches"
        ).fetchall()
        kept = snapshot.execute(
            "select (select count(*) from fct_events)"
            " + (select sum(duplicate_records) from rpt_batches)"
        ).fetchone()
    given = inputs_of([*FILES, *RECORDS])
    record_counts = {one.name: one.record_counts for one in given}
    for name in ("!first.jsonl", "~last.jsonl"):
        record_counts[name] = RecordCounts(records_read=2, accepted=2)
    assert sorted(shown) == sorted(
        (name, one.records_read, one.accepted, one.quarantined, one.blank_lines)
        for name, one in record_counts.items()
    )
    assert kept == (sum(one.accepted for one in record_counts.values()),)
