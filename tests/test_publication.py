"""Publications that go on from the one before: always what a publication in full would be."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.home import durable
from sequen_dagster.home.layout import Home, Serving
from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.compaction import compact
from sequen_dagster.reports import training_rows
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.publish import Published, publish
from sequen_dagster.reports.training import (
    TrainingSet,
    columns_in_files,
    write_training_set,
)
from sequen_dagster.settings import SequenSettings
from support.builds import FINGERPRINT
from support.histories import random_history, wide_history, with_custom_fields
from support.homes import settings_of
from support.lake import home_of
from support.replay import Load, Recording, SmallWarehouse, shared_recording

PLACES = (
    "reports.snapshot_written",
    "reports.snapshot_replaced",
    "reports.training_written",
    "reports.training_replaced",
)


class Killed(BaseException):
    """In place of a kill, which a test in this process would not survive."""


@contextmanager
def killed_at(place: str) -> Iterator[None]:
    """What is done within ends at a fail point, if it comes by."""

    def fail_point(name: str, _path: str = "") -> None:
        if name == place:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "fail_point", fail_point)
        try:
            yield
        except Killed:
            return


class PublishedWarehouse(SmallWarehouse):
    """A warehouse in the file of a home, whose builds are noted as those of a run are."""

    def __init__(self, recording: Recording, settings: SequenSettings) -> None:
        self.settings = settings
        self.path = home_of(settings).make().warehouse
        # What a hook notes where a person calls dbt is not of a run.
        full, incremental = (
            tuple((model, sql) for model, sql in statements if "set fingerprint" not in sql)
            for statements in (recording.full, recording.incremental)
        )
        recording = replace(recording, full=full, incremental=incremental)
        super().__init__(recording, str(self.path))
        manifest = recording.seeds.parent / "target" / "manifest.json"
        self.catalog = TableCatalog.read(json.loads(manifest.read_text()))

    def build(self, **how: Any) -> None:
        if not (self.is_current and how.get("only")):
            self.begun = begin_build(self.connection, FINGERPRINT)
            assert self.begun.is_full == (not self.is_built)
        super().build(**how)

    def finish(self) -> None:
        self.is_current = True
        finish_build(self.connection, self.begun)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Others may open the file meanwhile."""
        self.connection.execute("use memory")
        self.connection.execute("detach warehouse")
        try:
            yield
        finally:
            self.connection.execute(f"attach '{self.path}' as warehouse")
            self.connection.execute("use warehouse")

    def publish(self) -> Published:
        catalog = self.catalog
        with self.closed():
            return publish(self.settings, catalog.tables, catalog.views, catalog.keys)

    def train(self, serving: Serving | None = None) -> TrainingSet:
        return write_training_set(
            serving or Home(self.settings.home).serving,
            report_options(self.settings),
            self.catalog.columns["training_impressions"],
        )


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are made one at a time."""
    monkeypatch.setattr(training_rows, "_ROWS_AT_ONCE", 1)


def differing_tables(warehouse: PublishedWarehouse) -> list[str]:
    """Public tables and views of which the snapshot holds other rows than the warehouse."""
    connection, found = warehouse.connection, []
    connection.execute(
        f"attach '{Home(warehouse.settings.home).serving.snapshot}' as published (read_only)"
    )
    names = connection.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = 'published' and table_schema = 'main'"
    ).fetchall()
    assert {name for (name,) in names} == set(warehouse.catalog.public)
    for name in warehouse.catalog.public:
        here, there = f"warehouse.main.{name}", f"published.main.{name}"
        found += [
            f"{name}: {first} only"
            for first, second in ((here, there), (there, here))
            if connection.execute(f"from {first} except all from {second} limit 1").fetchall()
        ]
    connection.execute("detach published")
    return found


def names_in(serving: Serving) -> list[str]:
    manifest = json.loads(serving.training_manifest.read_text())
    return [one["name"] for one in manifest["files"]]


def check_training_set(warehouse: PublishedWarehouse, aside: Path) -> None:
    """It holds the rows of the view, in files as of a set that is written as a whole."""
    serving = Home(warehouse.settings.home).serving
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    shutil.copy(serving.snapshot, Serving(aside).snapshot)
    whole = warehouse.train(Serving(aside))
    ours = json.loads(serving.training_manifest.read_text())
    # The engine may pack rows otherwise that it has read from a file.
    days, expected_days = (
        [(one["day"], one["period"], one["rows"]) for one in manifest["files"]]
        for manifest in (ours, whole.manifest)
    )
    assert days == expected_days
    for name in ("rows", "cuts", "splits", "cells", "columns"):
        assert ours[name] == whole.manifest[name], name
    columns = columns_in_files(warehouse.catalog.columns["training_impressions"])
    listed = ", ".join(column.name for column in columns)
    paths = [str(serving.training / name) for name in names_in(serving)]
    with duckdb.connect(serving.snapshot, read_only=True) as snapshot:
        written = snapshot.execute(f"select {listed} from read_parquet($1)", [paths]).fetchall()
        expected = snapshot.execute(
            f"select {listed} from training_impressions order by original_timestamp, impression_id"
        ).fetchall()
    assert written == expected


def random_loads(dice: random.Random) -> list[Load]:
    """Files in versions that lose, gain and change records, which other files hold as well."""
    rows = [
        with_custom_fields(dice, row)
        for row in [*random_history(dice), *wide_history(dice, dice.randint(20, 120))]
    ]
    loads = []
    for number in range(dice.randint(2, 3)):
        for version in range(1, dice.randint(1, 3) + 1):
            kept = [row for row in rows if dice.random() < 0.4]
            changed = [row if dice.random() < 0.9 else {**row, "x": "y"} for row in kept]
            loads.append(Load(f"f{number}", tuple(changed), version))
    # The usual batch is the next day's.
    dice.shuffle(loads)
    return loads


def live_through(recording: Recording, folder: Path, seed: int) -> dict[str, int]:
    """A history of batches, builds, publications, kills and erasures; how often what was done."""
    dice = random.Random(seed)
    folder.mkdir()
    settings = settings_of(folder)
    seen: dict[str, int] = {}
    with PublishedWarehouse(recording, settings) as warehouse:
        for number, load in enumerate(random_loads(dice)):
            warehouse.load(load)
            if number and dice.random() < 0.3:
                warehouse.build(until=dice.choice(recording.models))
            if dice.random() < 0.2:
                continue
            warehouse.build()
            if dice.random() < 0.15:
                # As a load of rewritten rows does; the compaction comes later, or after a kill.
                warehouse.connection.execute("insert into raw.uncompacted_batches values ('b')")
                if dice.random() < 0.5:
                    with warehouse.closed():
                        assert compact(settings)
            if dice.random() < 0.3:
                with killed_at(dice.choice(PLACES)), warehouse.closed():
                    catalog = warehouse.catalog
                    publish(settings, catalog.tables, catalog.views, catalog.keys)
                    warehouse.train()
            if dice.random() < 0.8:
                how = warehouse.publish().how
                kind = next(k for k in ("copied", "replaced", "left") if k in how)
                seen[kind] = seen.get(kind, 0) + 1
                assert differing_tables(warehouse) == []
                if dice.random() < 0.8:
                    before = seen.get("files kept", 0)
                    warehouse.train()
                    manifest = warehouse.train().manifest
                    seen["files kept"] = before + len(
                        {*names_in(Home(settings.home).serving)} & {*manifest["former_files"]}
                    )
                    check_training_set(warehouse, folder / "aside")
    return seen


def test_publication_equals_one_in_full(recording: Recording, tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    for seed in range(2):
        for name, count in live_through(recording, tmp_path / str(seed), seed).items():
            seen[name] = seen.get(name, 0) + count
    # It was not copied in full each time, else the test shows nothing.
    assert seen["replaced"] >= 3
    assert seen["files kept"] >= 3
