"""Who is erased is left out of what the contract gives, wherever a record says who it is about."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sequen_dagster.contract import EventContract, Origin, Split
from sequen_dagster.contract.erasures import (
    NO_ERASURES,
    Erasures,
    erased_rows,
    split_without_erased,
)
from sequen_dagster.errors import HomeError
from sequen_dagster.exports.records import RAW_KEPT_BYTES, RecordChunk
from sequen_dagster.home.layout import Lake
from sequen_dagster.lake.erasures import (
    add_erasures,
    finish_erasures,
    read_erasure_list,
    read_erasures,
)
from support.builders import event

X = "u_4432"
ERASED = Erasures(b"salt").adding([("uid", X)])


def split_of(*texts: str) -> Split:
    chunk = RecordChunk()
    for number, text in enumerate(texts, start=1):
        chunk.add(text.encode(), number)
    (split,) = EventContract().validate_chunks(iter([chunk]), Origin())
    return split


def kept_of(erasures: Erasures, *texts: str) -> tuple[list[str], list[str | None], int]:
    """Ids of the accepted, texts of the quarantined, and how many were skipped."""
    kept, skipped = split_without_erased(split_of(*texts), erasures)
    return kept.accepted["id"].to_list(), kept.quarantined["raw"].to_list(), skipped.total()


def text(**fields: Any) -> str:
    return json.dumps(event("scroll", **fields))


def test_empty_list_of_erasures_changes_nothing() -> None:
    split = split_of(text(), "broken")

    kept, skipped = split_without_erased(split, NO_ERASURES)

    assert kept is split
    assert skipped == Counter()
    assert NO_ERASURES.fingerprint == ""


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({"uid": X}, False),
        ({"uid": "u_443"}, True),
        ({"uid": f"{X} "}, True),
        ({"uid": X.upper()}, True),
        # Another field with the same value is another thing.
        ({"uid": "u1", "cid": X}, True),
        ({"uid": "u1", "sid": X}, True),
        ({"uid": "u1", "id": X}, True),
        ({"uid": "u1", "user": X}, True),
    ],
)
def test_accepted_rows_go_by_the_field_that_is_erased(fields: dict[str, Any], stays: bool) -> None:
    ids, _, skipped = kept_of(ERASED, text(**fields))

    assert (len(ids), skipped) == ((1, 0) if stays else (0, 1))


@pytest.mark.parametrize("name", ["uid", "cid", "id"])
def test_every_erasable_field_is_looked_at(name: Any) -> None:
    erasures = Erasures(b"salt").adding([(name, X)])

    assert kept_of(erasures, text(**{name: X}), text(id="other")) == (["other"], [], 1)


def test_aliases_and_numbers_are_read_as_the_contract_reads_them() -> None:
    erasures = Erasures(b"salt").adding([("cid", "9007199254740993")])

    assert kept_of(
        erasures,
        text(id="a", client_id=9007199254740993),
        text(id="b", cid="9007199254740993"),
        text(id="c", cid=9007199254740992),
    ) == (["c"], [], 2)


def test_readable_quarantined_records_go_whole() -> None:
    bad = {"page_type": ..., "original_timestamp": ...}
    erasures = ERASED.adding([("cid", "7")])
    split = split_of(
        text(uid=X, **bad), text(client_id=7, **bad), text(uid="u1", **bad), text(uid=X)
    )

    kept, skipped = split_without_erased(split, erasures)

    assert kept.quarantined["source_line"].to_list() == [3]
    assert kept.quarantined["raw"].null_count() == 0
    assert skipped == {("scroll", "erased"): 3}
    assert split.errors == {("scroll", "missing_original_timestamp"): 3}
    assert kept.errors == {("scroll", "missing_original_timestamp"): 1}


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"uid": "{X}", broken',
        f'{{"a": "b, "uid": "{X}"}}',
        f'{{"uid":"{X}',
        f'[{{"uid": "{X}"}}]',
        json.dumps({"type": "scroll", "user": {"id": X}}),
        json.dumps({"type": "scroll", "note": X}),
        json.dumps({"type": "scroll", "note": [["a", f"asked for {X}, twice"]]}),
        json.dumps({"type": "scroll", X: True}),
        f'{{"uid": "{X}", "uid": "u1", "type": "scroll"}}',
        '{"uid": "u_\\u0034432", broken',
        f"{X},click,2025-07-14",
        f'1;"{X}";x',
        f"click|{X}",
        f"click\t{X}\t",
        f"uid={X}&type=click",
        f"uid:{X}",
        X,
    ],
)
def test_text_that_mentions_an_erased_value_is_dropped(raw: str) -> None:
    split = split_of(raw)
    kept, skipped = split_without_erased(split, ERASED)

    assert X in split.quarantined["raw"][0] or "\\u0034" in split.quarantined["raw"][0]
    assert kept.quarantined["raw"].to_list() == [None]
    assert kept.quarantined["raw_sha256"].to_list() == [None]
    # All else of the record stays.
    rest = ["rules", "fields", "source_line", "source_item", "raw_bytes", "type"]
    assert kept.quarantined.select(rest).equals(split.quarantined.select(rest))
    assert kept.errors == split.errors
    assert skipped == Counter()


@pytest.mark.parametrize("value", ["a b", "a,b", "a:b=c", 'say "x"', "é ü", "tab\there"])
def test_values_of_any_form_are_found_in_broken_json(value: str) -> None:
    erasures = Erasures(b"salt").adding([("uid", value)])

    _, raws, _ = kept_of(erasures, f'{{"uid": {json.dumps(value)}, broken')

    assert raws == [None]


@pytest.mark.parametrize("raw", [f"{X}9", f"x{X}", '{"uid": "u_443", broken', "{}", '"'])
def test_text_without_the_value_stays(raw: str) -> None:
    assert kept_of(ERASED, raw) == ([], [raw], 0)


@pytest.mark.parametrize(("size", "stays"), [(RAW_KEPT_BYTES, True), (RAW_KEPT_BYTES + 1, False)])
def test_text_that_is_not_whole_is_dropped(size: int, stays: bool) -> None:
    raw = "x" * size

    _, (kept,), _ = kept_of(ERASED, raw)

    assert kept == (raw if stays else None)


def test_second_erasure_takes_no_more_records() -> None:
    split = split_of(text(uid=X), text(), f"{X} broken", text(uid=X, original_timestamp=...))

    once, _ = split_without_erased(split, ERASED)
    twice, skipped = split_without_erased(once, ERASED)

    assert skipped == Counter()
    assert twice.accepted.equals(once.accepted)
    assert twice.quarantined.equals(once.quarantined)


@pytest.mark.parametrize("depth", [500, 990, 20_000])
def test_deep_text_does_not_break_the_reading(depth: int) -> None:
    deep = "[" * depth + f'"{X}"' + "]" * depth

    assert kept_of(ERASED, deep) == ([], [None], 0)


def test_lone_surrogates_do_not_break_the_hashing() -> None:
    raw = '{"uid": "\\ud800", broken'

    assert kept_of(ERASED, raw) == ([], [raw], 0)


def test_only_columns_that_are_asked_for_are_needed() -> None:
    rows = pl.DataFrame({"uid": [X, None, "u1"]})

    assert erased_rows(rows, ERASED).to_list() == [True, False, False]


def test_hashes_depend_on_salt_field_and_value() -> None:
    digests = {
        Erasures(b"salt").digest("uid", "1"),
        Erasures(b"pepper").digest("uid", "1"),
        Erasures(b"salt").digest("cid", "1"),
        Erasures(b"salt").digest("uid", "2"),
    }

    assert len(digests) == 4
    # A known answer: HMAC-SHA256 of "uid\0u1" by the key "salt".
    assert Erasures(b"salt").digest("uid", "u1") == (
        "c27111cc3397c3fc21f33175f915288ab790f893ca7957e34b2fcc9d853bd239"
    )


def test_fingerprint_names_the_list_whatever_its_order() -> None:
    one = NO_ERASURES.adding([("uid", "a")]).adding([("cid", "b")])
    other = NO_ERASURES.adding([("cid", "b")]).adding([("uid", "a")])

    assert one.fingerprint == other.fingerprint != NO_ERASURES.adding([("uid", "a")]).fingerprint
    assert len(one.fingerprint) == 16


def test_list_reads_back_as_noted(tmp_path: Path) -> None:
    assert read_erasures(Lake(tmp_path)).digests == frozenset()

    first = add_erasures(Lake(tmp_path), [("uid", X)])
    second = add_erasures(Lake(tmp_path), [("uid", X), ("cid", "c1")])

    assert read_erasures(Lake(tmp_path)) == second
    assert second.holds("uid", X)
    assert second.holds("cid", "c1")
    assert second.salt == first.salt
    assert len(second.salt) == 32
    assert [len(note.digests) for note in read_erasure_list(Lake(tmp_path)).notes] == [1, 1]
    assert X not in (tmp_path / "erasures.json").read_text()
    assert (tmp_path / "erasures.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["erasures.json"]


def test_list_is_not_written_where_no_one_is_new(tmp_path: Path) -> None:
    add_erasures(Lake(tmp_path), [("uid", X)])
    before = (tmp_path / "erasures.json").stat()

    add_erasures(Lake(tmp_path), [("uid", X)])

    after = (tmp_path / "erasures.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_erasure_is_unfinished_until_it_is_marked_finished(tmp_path: Path) -> None:
    add_erasures(Lake(tmp_path), [("uid", X)])
    add_erasures(Lake(tmp_path), [("uid", "u2")])
    assert read_erasure_list(Lake(tmp_path)).unfinished_count == 2

    finish_erasures(Lake(tmp_path))

    assert read_erasure_list(Lake(tmp_path)).unfinished_count == 0
    assert read_erasures(Lake(tmp_path)).holds("uid", X)


@pytest.mark.parametrize("damage", ["", "{}", '{"salt": "zz", "notes": []}', '{"salt": ""}'])
def test_damaged_list_stops_everything(tmp_path: Path, damage: str) -> None:
    (tmp_path / "erasures.json").write_text(damage)

    with pytest.raises(HomeError, match="backup"):
        read_erasures(Lake(tmp_path))
