"""The build's own SQL without dbt's minutes: recorded once, replayed on many small warehouses.

dbt is run twice, once in full and once incrementally; what it sends to the engine depends on no
data, so the same statements in the same order are the build, whatever the warehouse holds.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import yaml

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA, EventContract, Origin
from sequen_dagster.exports.records import RecordChunk
from sequen_dagster.lake.commits import Batch, RecordCounts
from sequen_dagster.marts.warehouse import (
    ID_HASH,
    create_raw_tables,
    current_batches,
    note_affected,
    note_changes,
)
from support.histories import RECEIVED_AT, Row, as_json
from support.once import made_once

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
# History, or a build's own scratch: what a full refresh need not repeat.
HISTORY = {"rpt_restatements"}
# Of more rows the engine is faster than Python.
PLAINLY_COMPARED_ROWS = 2_000
# Where dbt names its invocation.
BUILD_ID = "<this build>"
Statement = tuple[str, str]


@dataclass(frozen=True)
class Recording:
    """The statements of a full refresh and of an incremental build, by model, and the seeds."""

    full: tuple[Statement, ...]
    incremental: tuple[Statement, ...]
    seeds: Path
    children: dict[str, tuple[str, ...]]

    @property
    def models(self) -> list[str]:
        """The models in the order they are built; what a hook sends belongs to none."""
        return [
            name
            for name in dict.fromkeys(name for name, _ in self.incremental)
            if name in self.children
        ]

    def downstream(self, model: str) -> set[str]:
        """The model and all that is built on it."""
        found = {model}
        for name in self.models:
            if name in found:
                found.update(self.children[name])
        return found

    def upstream(self, model: str) -> set[str]:
        """The model and all that it is built on."""
        found = {model}
        for name in reversed(self.models):
            if not found.isdisjoint(self.children.get(name, ())):
                found.add(name)
        return found


# Settings that are one number in the SQL, maybe times a factor: dbt is recorded with these, which
# stand nowhere else, and any others are written in their place. So one recording serves them all.
MARKS = {
    "sequen_session_timeout_minutes": 7_654_321,
    "sequen_click_window_minutes": 6_543_217,
    "sequen_click_touch_days": 23_457,
    "sequen_view_touch_days": 21_787,
    "sequen_max_touches": 887,
    "sequen_half_life_days": 17_389,
    "sequen_oversized_visitor_events": 987_654_321,
    "sequen_max_users_per_device": 654_323,
    "sequen_recent_days": 31_013,
    "sequen_min_accepted_percent": 73,
}
FACTORS = (1, 60_000_000, 86_400_000_000)


def shared_recording(
    factory: pytest.TempPathFactory, worker_id: str, **variables: Any
) -> Recording:
    """Record once in a test run; variables that differ from the defaults in numbers share it."""
    usual = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    others = {
        name: value
        for name, value in variables.items()
        if name not in MARKS and value != usual[name]
    }
    digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:8]
    folder = made_once(
        factory, worker_id, f"recording {digest}", lambda folder: record(folder, **MARKS, **others)
    )
    numbers = {name: variables.get(name, usual[name]) for name in MARKS}
    return with_numbers(recording_in(folder), numbers)


def recording_in(folder: Path) -> Recording:
    """What `record` left there."""
    kept = json.loads((folder / "recording.json").read_text())
    return Recording(
        tuple((model, sql) for model, sql in kept["full"]),
        tuple((model, sql) for model, sql in kept["incremental"]),
        folder / "warehouse.duckdb",
        {name: tuple(names) for name, names in kept["children"].items()},
    )


def with_numbers(recording: Recording, numbers: dict[str, int]) -> Recording:
    """The recording with other numbers in place of the marks: what dbt sends with these."""
    written = {
        str(mark * factor): str(numbers[name] * factor)
        for name, mark in MARKS.items()
        for factor in FACTORS
    }
    pattern = re.compile(rf"(?<![\w.])({'|'.join(written)})(?![\w.])")

    def others(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(
            (model, pattern.sub(lambda found: written[found[0]], sql)) for model, sql in statements
        )

    return replace(
        recording, full=others(recording.full), incremental=others(recording.incremental)
    )


def record(folder: Path, project: Path = PROJECT, **variables: Any) -> None:
    """Let dbt build an empty warehouse in full and again, and note what it runs."""
    # Off by default; on here, so that its tables are held to the promise like all others.
    variables = {"sequen_breakdowns": [["app", "version"]], **variables}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_raw_tables(connection)
    no_tests = ("--full-refresh", "--exclude-resource-type", "test", "unit_test")
    full = run_dbt(folder, project, path, "build", variables, *no_tests)
    incremental = run_dbt(folder, project, path, "run", variables)
    manifest = json.loads((folder / "target" / "manifest.json").read_text())
    children = {
        parent.rpartition(".")[2]: sorted(_readers(manifest, parent))
        for parent in manifest["child_map"]
        if parent.startswith("model.") and not _is_part(manifest, parent)
    }
    kept = {"full": full, "incremental": incremental, "children": children}
    (folder / "recording.json").write_text(json.dumps(kept))


def _readers(manifest: dict[str, Any], parent: str) -> set[str]:
    """The models that are built on one, those that read it by way of a part of their query, too."""
    readers: set[str] = set()
    for child in manifest["child_map"][parent]:
        if _is_part(manifest, child):
            readers |= _readers(manifest, child)
        elif child.startswith("model."):
            readers.add(child.rpartition(".")[2])
    return readers


def _is_part(manifest: dict[str, Any], name: str) -> bool:
    """Whether a model is a part of the queries that read it, and has no table."""
    return bool(
        manifest["nodes"].get(name, {}).get("config", {}).get("materialized") == "ephemeral"
    )


def run_dbt(
    folder: Path, project: Path, path: Path, command: str, variables: dict[str, Any], *more: str
) -> list[Statement]:
    """Run dbt; the statements it sent, by model."""
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", command, *more, "--threads", "1",
            "--log-format", "json", "--log-level", "debug",
            "--project-dir", str(project), "--profiles-dir", str(project),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
            "--vars", json.dumps(variables),
        ],
        env=os.environ | {"SEQUEN_WAREHOUSE": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    statements = []
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event["info"]["name"] != "SQLQuery" or "node_info" not in event["data"]:
            continue
        node = event["data"]["node_info"]
        sql = event["data"]["sql"].partition("*/")[2].strip().rstrip(";")
        # What dbt only looks up has no effect.
        is_query = sql.lower().startswith(("select", "describe"))
        # dbt's own scratch tables are named after the moment: this one is made again and again.
        sql = sql.replace("create temporary table", "create or replace temporary table")
        # Another one for each build, see `SmallWarehouse.build`.
        sql = sql.replace(event["info"]["invocation_id"], BUILD_ID)
        if sql and not is_query and node["resource_type"] != "seed":
            statements.append((node["node_name"], sql))
    return statements


class SmallWarehouse:
    """A warehouse that takes batches and is built by a recording; in memory, without a path."""

    def __init__(self, recording: Recording, path: str = ":memory:") -> None:
        self.recording = recording
        self.connection = duckdb.connect()
        self.connection.execute(f"attach '{path}' as warehouse")
        self.connection.execute("use warehouse")
        self.connection.execute("set threads = 1")
        # Planning `int_property_values` takes half of a small build with it, and a tenth without.
        self.connection.execute("set disabled_optimizers = 'in_clause'")
        self.connection.execute("create schema changes")
        self.connection.execute("create schema staging")
        self.connection.execute("create schema intermediate")
        create_raw_tables(self.connection)
        self.connection.execute(f"attach '{recording.seeds}' as seeds (read_only)")
        for seed in sorted(path.stem for path in PROJECT.glob("seeds/*.csv")):
            self.connection.execute(f"create table main.{seed} as from seeds.main.{seed}")
        self.connection.execute("detach seeds")
        self.is_built = False
        # Whether a build that ran through has seen all loads.
        self.is_current = False
        self.builds = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def load(self, step: "Load") -> None:
        """Take a version of a file, as the loader does."""
        self.is_current = False
        validation = validated(step.path, tuple(map(as_json, step.events)), step.source)
        batch = step.batch(validation.record_counts)
        paths = {(batch.source, batch.path)}
        before = current_batches(self.connection, paths)
        if step.is_revalidated:
            self._forget_affected(batch.batch_id)
        self.connection.execute(
            "insert into raw.batches by name select ? as batch_id, ? as source, ? as path,"
            " ? as version, ? as file_sha256, ? as records_read, ? as accepted, ? as quarantined,"
            " 0 as skipped, 0 as blank_lines, ?::timestamp as registered_at",
            [
                batch.batch_id, step.source, step.path, step.version, batch.batch_id,
                batch.record_counts.records_read, batch.record_counts.accepted,
                batch.record_counts.quarantined, RECEIVED_AT,
            ],
        )  # fmt: skip
        for table in ("events", "quarantined_events", "violations"):
            self.connection.register("rows", getattr(validation, table).to_arrow())
            self.connection.execute(
                f"insert into raw.{table} by name select *, ? as batch_id"
                f"{f', {ID_HASH} as id_hash' if table == 'events' else ''} from rows",
                [batch.batch_id],
            )
            self.connection.unregister("rows")
        if step.is_revalidated:
            self.connection.execute(
                "update raw.events set property_shape = '[]' where batch_id = ?", [batch.batch_id]
            )
        note_changes(self.connection, before, current_batches(self.connection, paths))

    def _forget_affected(self, batch_id: str) -> None:
        note_affected(self.connection, [batch_id])
        for table in ("events", "quarantined_events", "violations", "batches"):
            self.connection.execute(f"delete from raw.{table} where batch_id = ?", [batch_id])

    def build(
        self,
        *,
        until: str | None = None,
        failing: str | None = None,
        only: frozenset[str] = frozenset(),
    ) -> None:
        """Build, in full the first time.

        `until`: the machine dies before this model. `failing`: this model fails, and dbt goes on
        with all that is not built on it. `only`: these models are selected; they are built alone
        where the tables are current, which begins no build, and else with all others.
        """
        only = only if self.is_current else frozenset()
        self.is_current = self.is_current and bool(only)
        statements = self.recording.incremental if self.is_built else self.recording.full
        # Interrupted in full, a build is asked for in full again.
        assert self.is_built or not (until or failing)
        self.is_built = True
        self.builds += 1
        skipped = self.recording.downstream(failing) if failing else ()
        for model, sql in statements:
            if model == until:
                # A transaction of dbt is a model.
                return
            if model in skipped or (only and model not in only):
                continue
            try:
                self.connection.execute(sql.replace(BUILD_ID, str(self.builds)))
            except duckdb.Error as error:
                error.add_note(f"in {model}")
                raise
        if not failing and not only:
            self.finish()

    def finish(self) -> None:
        """Forget the affected keys: the build has run through."""
        self.is_current = True
        changed = self.connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'changes'"
        ).fetchall()
        for (name,) in changed:
            self.connection.execute(f'truncate changes."{name}"')
        self.connection.execute("truncate raw.affected_ids")
        self.connection.execute("truncate raw.affected_batches")

    def contents(self) -> dict[str, pa.Table]:
        """All tables that models make and that a full refresh makes again."""
        found = self.connection.execute(
            "select schema_name || '.' || table_name, table_name from duckdb_tables()"
            " where database_name = 'warehouse' and schema_name in ('main', 'intermediate')"
            " order by all"
        ).fetchall()
        return {
            table: self.connection.sql(f"from {table}").to_arrow_table()
            for table, name in found
            if name not in HISTORY and not name.startswith("int_affected")
        }

    def differences(self, expected: dict[str, pa.Table], limit: int = 3) -> Iterator[str]:
        """Say where the tables differ from what they should hold."""
        for table, rows_expected in expected.items():
            if has_same_rows(self.connection.sql(f"from {table}").to_arrow_table(), rows_expected):
                continue
            self.connection.register("expected", rows_expected)
            for label, query in (
                ("unexpected", f"from {table} except all from expected"),
                ("missing", f"from expected except all from {table}"),
            ):
                rows = self.connection.execute(query).fetchall()
                for row in rows[:limit]:
                    yield f"{table} {label} ({len(rows)} in all): {row}"
            self.connection.unregister("expected")


def has_same_rows(actual: pa.Table, expected: pa.Table) -> bool:
    """Whether two tables plainly hold the same rows; false where only the engine can decide."""
    if actual.equals(expected):
        return True
    if len(actual) != len(expected) or len(actual) > PLAINLY_COMPARED_ROWS:
        return False
    return sorted(map(repr, actual.to_pylist())) == sorted(map(repr, expected.to_pylist()))


@dataclass(frozen=True)
class Validation:
    """What the contract makes of a file: the rows of the raw tables."""

    events: pl.DataFrame
    quarantined_events: pl.DataFrame
    violations: pl.DataFrame

    @property
    def record_counts(self) -> RecordCounts:
        """How many records came and where they went."""
        accepted, quarantined = len(self.events), len(self.quarantined_events)
        return RecordCounts(accepted + quarantined, accepted, quarantined)


@lru_cache(maxsize=500)
def validated(path: str, lines: tuple[str, ...], source: str) -> Validation:
    """Validate a file of these lines."""
    chunk = RecordChunk()
    for number, line in enumerate(lines, start=1):
        chunk.add(line.encode(), number)
    origin = Origin(source=source, source_file=path, received_at=RECEIVED_AT)
    events = [pl.DataFrame(schema=ACCEPTED_SCHEMA)]
    quarantined = [pl.DataFrame(schema=QUARANTINED_SCHEMA)]
    counts: dict[tuple[str, str, str], int] = Counter()
    for split in EventContract().validate_chunks(iter([chunk]), origin):
        events.append(split.accepted)
        quarantined.append(split.quarantined)
        for severity, broken in (("error", split.errors), ("warning", split.warnings)):
            for (event_type, rule), count in broken.items():
                counts[event_type, rule, severity] += count
    names = ["type", "rule", "severity", "records"]
    return Validation(
        pl.concat(events),
        pl.concat(quarantined),
        pl.DataFrame(
            [(*key, count) for key, count in counts.items()],
            schema=dict.fromkeys(names[:3], pl.String) | {"records": pl.Int64},
            orient="row",
        ),
    )


@dataclass(frozen=True)
class Load:
    """A version of a file arrives."""

    path: str
    events: tuple[Row, ...]
    version: int = 1
    source: str = "default"
    # The same version once more, by a contract that sees other custom fields in it.
    is_revalidated: bool = False

    def batch(self, record_counts: RecordCounts) -> Batch:
        """The batch that a commit holds."""
        batch_id = f"{self.source}/{self.path}/{self.version}"
        return Batch(
            batch_id, self.source, self.path, self.version, "jsonl", batch_id, 0,
            RECEIVED_AT, RECEIVED_AT, RECEIVED_AT, "", record_counts,
        )  # fmt: skip


@dataclass(frozen=True)
class Build:
    """The tables are built, or begun: see `SmallWarehouse.build`."""

    until: str | None = None
    failing: str | None = None
    only: frozenset[str] = frozenset()

    @property
    def is_finished(self) -> bool:
        """Whether it runs through."""
        return self.until is None and self.failing is None


Step = Load | Build


def full_refresh(recording: Recording, loads: Iterable[Load]) -> dict[str, pa.Table]:
    """What the tables hold that are built at once over all loads."""
    with SmallWarehouse(recording) as warehouse:
        for load in loads:
            warehouse.load(load)
        warehouse.build()
        return warehouse.contents()


def follow(warehouse: SmallWarehouse, steps: Iterable[Step]) -> Iterator[list[Load]]:
    """Take the steps; after each build that ran through, the loads so far."""
    loads: list[Load] = []
    for step in steps:
        if isinstance(step, Load):
            warehouse.load(step)
            loads.append(step)
            continue
        warehouse.build(until=step.until, failing=step.failing, only=step.only)
        if step.is_finished:
            yield loads


def wrong_rows(recording: Recording, steps: Sequence[Step], *, every: int = 1) -> list[str]:
    """Where the tables first differ from a full refresh, looking after every so many builds."""
    builds = sum(isinstance(step, Build) and step.is_finished for step in steps)
    with SmallWarehouse(recording) as warehouse:
        for number, loads in enumerate(follow(warehouse, steps), start=1):
            # The first is a full refresh itself.
            if number == 1 or (number % every and number < builds):
                continue
            found = list(warehouse.differences(full_refresh(recording, loads)))
            if found:
                return [f"after build {number}:", *found]
    return []


def smallest(
    steps: Sequence[Step], is_wrong: Callable[[Sequence[Step]], bool], attempts: int = 200
) -> list[Step]:
    """Take steps and events out of a plan that goes wrong, while it still does: for the eye."""
    steps = list(steps)
    size = max(1, len(parts_of(steps)) // 2)
    while size:
        start = 0
        while start < len(parts := parts_of(steps)):
            attempts -= 1
            if attempts < 0:
                return steps
            fewer = without(steps, set(parts[start : start + size]))
            if is_wrong(fewer):
                steps = fewer
            else:
                start += size
        size //= 2
    return steps


def parts_of(steps: Sequence[Step]) -> list[tuple[int, int | None]]:
    """What can be taken out: a step, or an event of it."""
    events = [
        (place, number)
        for place, step in enumerate(steps)
        if isinstance(step, Load)
        for number in range(len(step.events))
    ]
    return [*((place, None) for place in range(len(steps))), *events]


def without(steps: Sequence[Step], parts: set[tuple[int, int | None]]) -> list[Step]:
    return [
        replace(
            step,
            events=tuple(e for n, e in enumerate(step.events) if (place, n) not in parts),
        )
        if isinstance(step, Load)
        else step
        for place, step in enumerate(steps)
        if (place, None) not in parts
    ]
