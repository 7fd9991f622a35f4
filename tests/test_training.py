"""The training set: exact rows, boundaries, and that nothing of the future is in it."""

import hashlib
import json
import os
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sequen_dagster.cli.main import main
from sequen_dagster.home.layout import Home
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.training import TrainingSet, columns_in_files
from sequen_dagster.reports.training import write_training_set as write_columns_of
from sequen_dagster.reports.training_manifest import SPLITS
from sequen_dagster.settings import SequenSettings, load_settings
from support.builders import event
from support.compiled import compiled_views, create_views, training_columns
from support.graphs import report_steps
from support.homes import settings_of, write_events
from support.snapshots import START, Snapshot, at, bucket_of, labels_of, split_of, visitors

(TRAIN,), (VALIDATION,), (TEST,) = (visitors(split) for split in ("train", "validation", "test"))
PAGE = Path(__file__).resolve().parent.parent / "docs" / "training.md"
Row = dict[str, Any]
Cuts = tuple[datetime, datetime, datetime]


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One for all tests: opening takes longer than the query."""
    return duckdb.connect(config={"threads": 1})


@cache
def features() -> list[str]:
    return [column.name for column in training_columns() if column.role in ("key", "feature")]


def write_training_set(home: SequenSettings) -> TrainingSet:
    return write_columns_of(Home(home.home).serving, report_options(home), training_columns())


def files_in(home: SequenSettings) -> dict[str, bytes]:
    """What the manifest names, in its order."""
    folder = Home(home.home).serving.training
    manifest = json.loads((folder / "manifest.json").read_text())
    return {one["name"]: (folder / one["name"]).read_bytes() for one in manifest["files"]}


def read_set(home: SequenSettings) -> pl.DataFrame:
    folder = Home(home.home).serving.training
    return pl.concat([pl.read_parquet(folder / name) for name in files_in(home)])


def _quoted(instant: datetime | str) -> str:
    return instant if isinstance(instant, str) else f"'{instant}'"


def rows_of(snapshot: Snapshot, cuts: Cuts | None = None) -> list[Row]:
    snapshot.write(engine())
    create_views(engine())
    if cuts:
        periods = zip(SPLITS, (70, 15, 15), ("null", *cuts[:2]), cuts, strict=False)
        engine().execute(
            "create or replace view training_periods as select * from (values "
            + ", ".join(
                f"('{period}', {percent}, cast({_quoted(starts_at)} as timestamp),"
                f" cast({_quoted(ends_at)} as timestamp))"
                for period, percent, starts_at, ends_at in periods
            )
            + ") as periods (period, share_percent, starts_at, ends_at)"
        )
    found = engine().sql("from training_impressions order by original_timestamp, impression_id")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def row_of(snapshot: Snapshot, name: str, cuts: Cuts | None = None) -> Row:
    (found,) = [row for row in rows_of(snapshot, cuts) if row["impression_id"] == name]
    return found


def cut_at(validation: float, test: float, until: float) -> Cuts:
    return at(validation), at(test), at(until)


def write(folder: Path, snapshot: Snapshot) -> SequenSettings:
    """A home whose published snapshot is this one."""
    home = settings_of(folder)
    path = Home(home.home).serving.snapshot
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(path) as connection:
        snapshot.write(connection)
        create_views(connection)
    return home


def ten_of_each() -> Snapshot:
    """One impression a minute, of three visitors in turn; the cuts are minutes 20 and 25."""
    snapshot = Snapshot()
    for minute in range(30):
        snapshot.impression(f"i{minute:02}", at(minute), (TRAIN, VALIDATION, TEST)[minute % 3])
    return snapshot


def test_row_holds_what_was_known_and_what_followed() -> None:
    snapshot = ten_of_each()
    snapshot.page("p", at(0), "search")
    snapshot.module("m", at(0), rank=4)
    snapshot.impression(
        "shown",
        at(1, micros=1),
        TRAIN,
        item_id_relation="sku",
        rec_id="r",
        module_view_id="m-sent",
        linked_module_view_id="m",
        page_view_id="p-sent",
        linked_page_view_id="p",
        rank=3,
        properties='{"price":1.10}',
        server_timestamp=at(0.5),
    )
    snapshot.click("c", at(2), "shown")
    snapshot.page("opened", at(2), item_id="a")
    snapshot.dwell("d", at(3), "1500.4", linked_page_view_id="opened")
    snapshot.credit("click", "c", at(4))

    assert row_of(snapshot, "shown") == {
        "impression_id": "shown",
        "visitor_key": TRAIN,
        "session_key": f"s-{TRAIN}",
        "rec_id": "r",
        "module_view_id": "m-sent",
        "page_view_id": "p-sent",
        "item_id": "a",
        "item_id_relation": "sku",
        "source": "shop",
        "page_type": "search",
        "properties": '{"price":1.10}',
        "visitor_split": "train",
        "time_split": "train",
        "split": "train",
        "rank": 3,
        "module_rank": 4,
        "visitor_bucket": bucket_of(TRAIN),
        "dwell_ms": 1500,
        "label_hours": 0,
        "is_clicked": True,
        "is_converted": True,
        "original_timestamp": at(1, micros=1),
        "server_timestamp": at(0.5),
        "clicked_at": at(2),
        "converted_at": at(4),
        "labels_until": at(20),
    }


def test_every_impression_is_a_row_and_used_where_visitor_and_time_agree() -> None:
    rows = rows_of(ten_of_each())

    assert [row["impression_id"] for row in rows] == [f"i{minute:02}" for minute in range(30)]
    used = {name: [int(row["impression_id"][1:]) for row in rows if row["split"] == name]
            for name in SPLITS}  # fmt: skip
    assert used["train"] == [0, 3, 6, 9, 12, 15, 18]
    assert used["validation"] == [22]
    assert used["test"] == [26, 29]
    assert len(used["unused"]) == 20
    assert not any(row["is_clicked"] or row["is_converted"] for row in rows)


def test_impression_at_a_cut_belongs_to_the_later_period() -> None:
    snapshot = Snapshot()
    for name, when in (
        ("before 1", at(20, micros=-1)),
        ("at 1", at(20)),
        ("before 2", at(25, micros=-1)),
        ("at 2", at(25)),
    ):
        snapshot.impression(name, when, TRAIN)

    found = {row["impression_id"]: row for row in rows_of(snapshot, cut_at(20, 25, 30))}

    assert {name: row["time_split"] for name, row in found.items()} == {
        "before 1": "train",
        "at 1": "validation",
        "before 2": "validation",
        "at 2": "test",
    }
    assert [row["labels_until"] for row in found.values()] == [at(20), at(25), at(25), at(30)]


@pytest.mark.parametrize(("shown", "end"), [(19, 20), (24, 25), (29, 30)])
@pytest.mark.parametrize(("micros", "is_known"), [(-1, True), (0, False), (1, False)])
def test_what_follows_at_the_end_of_a_period_or_later_is_not_known(
    shown: int, end: int, micros: int, is_known: bool
) -> None:
    snapshot = Snapshot()
    snapshot.impression("i", at(shown), TRAIN)
    snapshot.click("c", at(end, micros=micros), "i")
    snapshot.impression("j", at(shown), TRAIN)
    snapshot.credit("impression", "j", at(end, micros=micros))
    snapshot.impression("k", at(shown), TRAIN)
    snapshot.dwell("d", at(end, micros=micros), "7", linked_impression_id="k")

    found = {row["impression_id"]: row for row in rows_of(snapshot, cut_at(20, 25, 30))}

    assert (found["i"]["is_clicked"], found["i"]["clicked_at"] is not None) == (is_known, is_known)
    assert found["j"]["is_converted"] == is_known
    assert found["k"]["dwell_ms"] == (7 if is_known else None)


def test_last_event_is_known_to_the_test_period() -> None:
    snapshot = ten_of_each()
    snapshot.click("c", at(99), "i29")

    row = row_of(snapshot, "i29")

    assert (row["is_clicked"], row["labels_until"]) == (True, at(99, micros=1))


def test_label_hours_are_whole_and_rounded_down() -> None:
    snapshot = Snapshot()
    snapshot.impression("hour", at(0), TRAIN)
    snapshot.impression("less", at(0, micros=1), TRAIN)

    rows = rows_of(snapshot, cut_at(60, 70, 80))

    assert [row["label_hours"] for row in rows] == [1, 0]


def test_context_later_than_the_impression_is_not_known() -> None:
    snapshot = Snapshot()
    for name, when in (("now", at(5)), ("later", at(5, micros=1))):
        snapshot.page(f"page {name}", when, "search")
        snapshot.module(f"module {name}", when, rank=2)
        snapshot.impression(
            name,
            at(5),
            TRAIN,
            linked_module_view_id=f"module {name}",
            # Filled from the module, as the tables do.
            module_page_view_id=f"p {name}",
            linked_page_view_id=f"page {name}",
        )

    now, later = row_of(snapshot, "now"), row_of(snapshot, "later")

    assert (now["module_rank"], now["page_view_id"], now["page_type"]) == (2, "p now", "search")
    assert (later["module_rank"], later["page_view_id"], later["page_type"]) == (None, None, None)


@pytest.mark.parametrize(("place", "is_last"), [(1, False), (2, True)])
def test_converted_means_the_last_touch(place: int, is_last: bool) -> None:
    snapshot = Snapshot()
    snapshot.impression("i", at(0), TRAIN)
    snapshot.credit("impression", "i", at(1), place, of=2)
    snapshot.credit("impression", "i", at(2), place, of=2)

    row = row_of(snapshot, "i", cut_at(10, 20, 30))

    assert (row["is_converted"], row["converted_at"]) == (is_last, at(1) if is_last else None)


def clicked_pages(*pages: tuple[str, float, Row], relation: str | None = None) -> Snapshot:
    """An impression, a click on it in minute 5, and pages on which a minute each was spent."""
    snapshot = Snapshot()
    snapshot.impression("i", at(0), TRAIN)
    snapshot.click("c", at(5), "i", item_id_relation=relation)
    for number, (name, minute, fields) in enumerate(pages):
        snapshot.page(name, at(minute), **{"item_id": "a", **fields})
        snapshot.dwell(f"d{number}", at(9), str(10**number), linked_page_view_id=name)
    return snapshot


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([("p", 5, {})], 1, id="page at the instant of the click"),
        pytest.param([("p", 4.9, {})], None, id="page before the click"),
        pytest.param([("p", 6, {}), ("q", 7, {})], 1, id="the first page counts"),
        pytest.param([("p", 6, {"session_key": "other"}), ("q", 7, {})], 10, id="same session"),
        pytest.param([("p", 6, {"item_id": "b"}), ("q", 7, {})], 10, id="same item"),
        pytest.param([("p", 6, {"item_id": None}), ("q", 7, {})], 10, id="page of no item"),
        pytest.param([("p", 6, {"item_id_relation": "x"}), ("q", 7, {})], 1, id="relation absent"),
    ],
)
def test_dwell_is_that_of_the_page_that_the_click_opened(
    pages: list[tuple[str, float, Row]], expected: int | None
) -> None:
    assert row_of(clicked_pages(*pages), "i", cut_at(10, 20, 30))["dwell_ms"] == expected


def test_page_of_another_relation_was_not_opened_by_the_click() -> None:
    pages = [("p", 6.0, {"item_id_relation": "y"}), ("q", 7.0, {"item_id_relation": "x"})]
    snapshot = clicked_pages(*pages, relation="x")

    assert row_of(snapshot, "i", cut_at(10, 20, 30))["dwell_ms"] == 10


def test_page_after_another_click_is_the_doing_of_that() -> None:
    snapshot = clicked_pages(("p", 7, {}))
    snapshot.click("later", at(6), None)

    assert row_of(snapshot, "i", cut_at(10, 20, 30))["dwell_ms"] is None


def test_dwell_on_the_impression_itself_wins_and_is_added_up_exactly() -> None:
    snapshot = clicked_pages(("p", 6, {}))
    for number, ms in enumerate(["0.300000", "0.100000", "0.100000"]):
        snapshot.dwell(f"own {number}", at(9), ms, linked_impression_id="i")

    assert row_of(snapshot, "i", cut_at(10, 20, 30))["dwell_ms"] == 1


def test_dwell_that_fits_no_integer_is_not_known() -> None:
    snapshot = Snapshot()
    snapshot.impression("i", at(0), TRAIN)
    snapshot.dwell("d", at(1), "1" + "0" * 20, linked_impression_id="i")

    assert row_of(snapshot, "i", cut_at(10, 20, 30))["dwell_ms"] is None


PEOPLE = [*visitors("train", 2), *visitors("validation", 2), *visitors("test", 2)]
# Histories do not get simpler as seeds do; the one that fails is named by its seed.
SEEDS = st.integers(0, 2**32)


def random_snapshot(seed: int) -> Snapshot:
    """Few items, sessions and minutes, so that everything collides."""
    choose = random.Random(seed)
    snapshot = Snapshot()

    def fields() -> Row:
        return {
            "item_id": choose.choice("ab"),
            "item_id_relation": choose.choice([None, None, "x", "y"]),
            "session_key": choose.choice("st"),
        }

    def some(prefix: str, most: int) -> list[str]:
        return [f"{prefix}{number}" for number in range(choose.randint(0, most))]

    def when() -> datetime:
        return at(choose.randrange(16))

    impressions, clicks = some("i", 25), some("c", 12)
    pages, modules = some("p", 10), some("m", 4)
    for name in modules:
        snapshot.module(name, when(), choose.randrange(3))
    for name in pages:
        snapshot.page(name, when(), **fields())
    for name in impressions:
        links = {
            "linked_module_view_id": choose.choice([None, *modules]),
            "linked_page_view_id": choose.choice([None, *pages]),
            "page_view_id": choose.choice([None, "sent"]),
            "module_page_view_id": "of the module",
        }
        snapshot.impression(name, when(), choose.choice(PEOPLE), **fields(), **links)
    for name in clicks:
        snapshot.click(name, when(), choose.choice([None, *impressions]), **fields())
    for name in some("d", 12):
        page, shown = choose.choice([None, *pages]), choose.choice([None, None, *impressions])
        links = {"linked_page_view_id": page, "linked_impression_id": shown}
        snapshot.dwell(name, when(), str(choose.randrange(99)), **links)
    touches = [*snapshot.rows["fct_impressions"], *snapshot.rows["fct_clicks"]]
    for touch in choose.sample(touches, min(6, len(touches))):
        # A touch is never later than its conversion.
        later = touch["original_timestamp"] + timedelta(minutes=choose.randrange(6))
        snapshot.credit(touch["type"], touch["id"], later, choose.choice([1, 2]), of=2)
    return snapshot


def without(snapshot: Snapshot, start: datetime) -> Snapshot:
    """The same as if nothing but impressions had been sent at or after a moment."""
    kept = Snapshot()
    for table, rows in snapshot.rows.items():
        kept.rows[table] = [
            row
            for row in rows
            if table == "fct_impressions"
            or row.get("type") == "impression"
            or row.get("converted_at", row.get("original_timestamp")) < start
        ]
    return kept


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_nothing_leaks_in_any_history(seed: int) -> None:
    snapshot = random_snapshot(seed)
    rows = rows_of(snapshot)

    names = sorted(row["id"] for row in snapshot.rows["fct_impressions"])
    assert sorted(row["impression_id"] for row in rows) == names
    used = [[row for row in rows if row["split"] == name] for name in SPLITS[:3]]
    seen = [{row["visitor_key"] for row in part} for part in used]
    assert len(set().union(*seen)) == sum(map(len, seen))
    periods = [[row for row in rows if row["time_split"] == name] for name in SPLITS[:3]]
    for row in rows:
        bucket = bucket_of(row["visitor_key"])
        assert (row["visitor_bucket"], row["visitor_split"]) == (bucket, split_of(bucket))
        assert row["original_timestamp"] < row["labels_until"]
        labels = (row["clicked_at"], row["converted_at"], row["dwell_ms"])
        assert labels == labels_of(snapshot, row["impression_id"], row["labels_until"])
        flags = (row["is_clicked"], row["is_converted"])
        assert flags == (labels[0] is not None, labels[1] is not None)
    times = [[row["original_timestamp"] for row in part] for part in periods if part]
    assert all(max(early) < min(late) for early, late in pairwise(times))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(0, 15))
def test_without_the_future_the_rows_are_the_same(seed: int, minute: int) -> None:
    snapshot = random_snapshot(seed)
    cuts = cut_at(5, 10, 16)
    rows = rows_of(snapshot, cuts)
    ends = (at(5), at(10), at(16))
    cut_off = {until: rows_of(without(snapshot, until), cuts) for until in ends}
    at_once = rows_of(without(snapshot, at(minute, micros=1)), cuts)

    for number, row in enumerate(rows):
        assert cut_off[row["labels_until"]][number] == row
        if row["original_timestamp"] == at(minute):
            assert [at_once[number][name] for name in features()] == [
                row[name] for name in features()
            ]


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_rows_in_another_order_give_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    snapshot = random_snapshot(seed)
    files = []
    for _ in range(2):
        home = write(tmp_path_factory.mktemp("home"), snapshot)
        write_training_set(home)
        files.append(files_in(home))
        for rows in snapshot.rows.values():
            random.Random(seed).shuffle(rows)

    assert list(files[0].items()) == list(files[1].items())


def test_big_set_is_in_order_and_the_same_files_again(tmp_path: Path) -> None:
    # Of several groups of rows, which threads write side by side.
    home = write(tmp_path, Snapshot())
    with duckdb.connect(Home(home.home).serving.snapshot) as connection:
        connection.execute(
            "insert into fct_impressions by name select 'i' || number as id, 'uid:u' || number % 97"
            " as visitor_key, timestamp '2025-07-14' + to_milliseconds(number * 7919 % 300007)"
            " as original_timestamp from range(300000) as numbers (number)"
        )
        connection.execute(
            "insert into fct_events by name select id, 'impression' as type, original_timestamp,"
            " '{}' as properties from fct_impressions"
        )
    write_training_set(home)
    first = files_in(home)

    write_training_set(home)

    order = ["original_timestamp", "impression_id"]
    found = read_set(home)
    assert found.height == 300_000
    assert found.select(order).equals(found.select(order).sort(order))
    assert files_in(home) == first
    assert [name.partition(".")[2][:5] for name in first] == ["train", "valid", "test."]


def test_manifest_counts_what_the_files_hold(tmp_path: Path) -> None:
    snapshot = ten_of_each()
    snapshot.click("c", at(1), "i00")
    snapshot.credit("click", "c", at(2))
    snapshot.dwell("d", at(2), "5", linked_impression_id="i00")
    home = write(tmp_path, snapshot)

    written = write_training_set(home)

    manifest = json.loads((Home(home.home).serving.training / "manifest.json").read_text())
    assert manifest == written.manifest
    assert manifest["cuts"] == {
        "validation_from": "2025-07-14T09:20:00.000000Z",
        "test_from": "2025-07-14T09:25:00.000000Z",
        "known_until": "2025-07-14T09:29:00.000001Z",
    }
    nothing = {"clicked": 0, "converted": 0, "with_dwell": 0}
    assert manifest["splits"] == {
        "train": {"rows": 7, "clicked": 1, "converted": 1, "with_dwell": 1},
        "validation": {"rows": 1, **nothing},
        "test": {"rows": 2, **nothing},
        "unused": {"rows": 20, **nothing},
    }
    assert written.row_counts == {"train": 7, "validation": 1, "test": 2, "unused": 20}
    assert sum(cell["rows"] for cell in manifest["cells"]) == manifest["rows"] == 30
    found = [(one["day"], one["period"], one["rows"]) for one in manifest["files"]]
    assert found == [
        ("2025-07-14", "train", 20),
        ("2025-07-14", "validation", 5),
        ("2025-07-14", "test", 5),
    ]
    contents = list(files_in(home).values())
    assert [one["bytes"] for one in manifest["files"]] == [len(one) for one in contents]
    assert manifest["bytes"] == sum(map(len, contents))
    digests = [hashlib.sha256(one).hexdigest() for one in contents]
    assert [one["sha256"] for one in manifest["files"]] == digests
    names = [
        f"impressions/2025-07-14.{p}.{d[:16]}.parquet"
        for (_, p, _), d in zip(found, digests, strict=True)
    ]
    assert [one["name"] for one in manifest["files"]] == names
    assert (manifest["made_from"], manifest["former_files"]) == (None, [])


def described(home: SequenSettings) -> list[tuple[str, str]]:
    """Columns of all files together, as the engine reads them."""
    folder = Home(home.home).serving.training
    names = [str(folder / name) for name in files_in(home)]
    with duckdb.connect() as connection:
        found = connection.execute("describe from read_parquet(?)", [names]).fetchall()
    return [row[:2] for row in found]


def test_columns_are_those_that_are_described(tmp_path: Path) -> None:
    home = write(tmp_path, ten_of_each())

    write_training_set(home)

    assert described(home) == [
        (column.name, column.type)
        for column in training_columns()
        if column.name not in ("label_hours", "labels_until")
    ]


def test_no_impressions_give_an_empty_file_of_the_same_columns(tmp_path: Path) -> None:
    home = write(tmp_path, Snapshot())

    written = write_training_set(home)

    assert written.row_counts == dict.fromkeys(SPLITS, 0)
    assert written.manifest["cuts"] == dict.fromkeys(
        ("validation_from", "test_from", "known_until")
    )
    assert described(home) == [
        (column.name, column.type)
        for column in training_columns()
        if column.name not in ("label_hours", "labels_until")
    ]


def test_one_impression_suffices() -> None:
    snapshot = Snapshot()
    snapshot.impression("i", START, TEST)

    (row,) = rows_of(snapshot)

    assert (row["split"], row["labels_until"]) == ("test", START + timedelta(microseconds=1))


def test_asset_reports_rows_by_split_and_no_value(tmp_path: Path) -> None:
    home = write(tmp_path, ten_of_each())
    asset = report_steps(home, compiled_views()[0])["training_set"]

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], instance=instance)
        log = [str(entry) for entry in instance.all_logs(result.run_id)]

    (labels,) = result.asset_materializations_for_node("sequen_training_set")
    found = {name: value.value for name, value in labels.metadata.items()}
    assert found.pop("seconds") > 0
    assert found == {
        "dagster/uri": str(Home(home.home).serving.training / "manifest.json"),
        "link": (Home(home.home).serving.training / "manifest.json").as_uri(),
        "dagster/row_count": 30,
        "train_rows": 7,
        "validation_rows": 1,
        "test_rows": 2,
        "unused_rows": 20,
        "bytes": sum(map(len, files_in(home).values())),
        "files": 3,
        "files_written": 3,
    }
    assert not any(TRAIN in entry for entry in log)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("loose_umask")
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    home = write(tmp_path, ten_of_each())
    asset = report_steps(home, compiled_views()[0])["training_set"]

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([asset], instance=instance)

    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in Home(home.home).serving.training.rglob("*")
    }
    parts = [Path(name).name for name in files_in(home)]
    assert modes == {
        "impressions": 0o700,
        "manifest.json": 0o600,
        **dict.fromkeys(parts, 0o600),
    }
    assert Home(home.home).serving.training.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    # It may hold a person who is to be erased.
    home = write(tmp_path, ten_of_each())
    folder = Home(home.home).serving.training
    for name in (
        ".spilled.tmp/duckdb_temp_storage.tmp",
        "impressions/.part.parquet.tmp",
        "impressions/2025-07-14.train.0123456789abcdef.parquet",
        # What an earlier release has written.
        "impressions.parquet",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"half")

    write_training_set(home)

    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    assert left == sorted(["impressions", "manifest.json", *files_in(home)])


def test_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write(tmp_path, ten_of_each())
    write_training_set(home)
    home.home.rename(tmp_path / ".sequen")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    seen: list[int] = []

    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        names: Row = {}
        exec(compile(example, PAGE.name, "exec"), names)  # noqa: S102  # the point of this test
        seen += [len(names[name]) for name in ("train", "test", "mature") if name in names]

    assert seen == [7, 2, 7, 0]


def test_page_describes_every_column() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| `\w+` \| [A-Z]+ \|", line)]

    assert rows == [
        f"| `{one.name}` | {one.type} | {one.role} | {one.description} |"
        for one in columns_in_files(training_columns())
    ]


def run_on(folder: Path, exports: Path) -> SequenSettings:
    home = load_settings(folder, home="home", exports=exports)
    outcome = run_pipeline(home)
    assert (outcome.failures, outcome.failed_checks) == ((), ())
    assert "training_set" in outcome.seconds_by_stage
    return home


@pytest.mark.slow
def test_media_site_gives_what_queries_by_hand_give(test_data: Path, tmp_path: Path) -> None:
    home = run_on(tmp_path, test_data / "ebnerd_test")
    found = read_set(home)
    cut_1, cut_2 = datetime(2023, 2, 27, 23, 48, 11), datetime(2023, 3, 1, 4, 13, 53)
    with duckdb.connect(Home(home.home).serving.snapshot, read_only=True) as snapshot:
        by_hand = snapshot.execute(
            """
            select id, visitor_key, original_timestamp, (
                select count(*) from fct_clicks
                where matched_impression_id = fct_impressions.id and original_timestamp < case
                    when fct_impressions.original_timestamp < $1 then $1
                    when fct_impressions.original_timestamp < $2 then $2
                    else timestamp '9999-01-01' end
            ) > 0
            from fct_impressions order by original_timestamp, id
            """,
            [cut_1, cut_2],
        ).fetchall()
    expected: dict[str, list[int]] = {name: [0, 0] for name in SPLITS}
    for _, visitor, shown, is_clicked in by_hand:
        period = "train" if shown < cut_1 else "validation" if shown < cut_2 else "test"
        counts = expected[period if split_of(bucket_of(visitor)) == period else "unused"]
        counts[0] += 1
        counts[1] += is_clicked

    counted = found.group_by("split").agg(pl.len(), pl.col("is_clicked").sum()).rows()
    assert {name: [rows, clicked] for name, rows, clicked in counted} == expected
    assert expected["train"] == [5_128, 536]
    assert found["impression_id"].to_list() == [row[0] for row in by_hand]
    # Of 1,047 clicks; one in ten of what was seen.
    assert (found.height, found["is_clicked"].sum()) == (10_848, 1_047)
    assert found["dwell_ms"].count() == 100


@pytest.mark.slow
def test_erased_person_leaves_the_training_set(tmp_path: Path) -> None:
    home = settings_of(tmp_path)
    shown = {"type": "impression", "page_type": None, "item_id": "a", "rank": 1}
    erased = "someone-to-forget"
    write_events(
        home,
        "a.jsonl",
        event(id="x1", uid=erased, **shown),
        event(id="x2", uid=erased, **shown, note=f"of {erased}"),
        event(id="o1", uid="other", **shown),
    )
    home = run_on(tmp_path, tmp_path / "exports")
    assert read_set(home)["impression_id"].to_list() == ["o1", "x1", "x2"]

    arguments = ["erase", "--home", str(home.home), "--exports", str(tmp_path / "exports")]
    result = CliRunner().invoke(main, [*arguments, "--uid", erased])

    assert result.exit_code == 0, result.output
    left = read_set(home)
    assert left["impression_id"].to_list() == ["o1"]
    assert erased not in str(left.to_dicts())
    # Nothing of the set before is kept for its readers.
    folder = Home(home.home).serving.training
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(["manifest.json", *files_in(home)])
    assert json.loads((folder / "manifest.json").read_text())["rows"] == 1
