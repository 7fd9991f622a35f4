"""The build's own SQL without dbt's minutes: recorded once, replayed on many small warehouses.

dbt is run twice, once in full and once incrementally; what it sends to the engine depends on no
data, so the same statements in the same order are the build, whatever the warehouse holds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from histories import RECEIPT, Row, as_json
from sequen_dagster.contract import ACCEPTED_SCHEMA, EventContract, Origin
from sequen_dagster.exports.records import RecordChunk
from sequen_dagster.lake.commits import Batch, Books
from sequen_dagster.marts.warehouse import create_raw_tables, current_batch, note_changes

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
# History, or a build's own scratch: what a full refresh need not repeat.
HISTORY = {"rpt_restatements"}


@dataclass(frozen=True)
class Recording:
    """The statements of a full refresh and of an incremental build, by model, and the seeds."""

    full: tuple[tuple[str, str], ...]
    incremental: tuple[tuple[str, str], ...]
    seeds: Path


def record(folder: Path, project: Path = PROJECT, **variables: Any) -> Recording:
    """Let dbt build an empty warehouse in full and again, and note what it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_raw_tables(connection)
    run_dbt(folder, project, path, "seed", variables)
    full = run_dbt(folder, project, path, "run", variables, "--full-refresh")
    incremental = run_dbt(folder, project, path, "run", variables)
    return Recording(tuple(full), tuple(incremental), path)


def run_dbt(
    folder: Path, project: Path, path: Path, command: str, variables: dict[str, Any], *more: str
) -> list[tuple[str, str]]:
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
        if event["info"]["name"] == "SQLQuery" and "node_info" in event["data"]:
            sql = event["data"]["sql"].partition("*/")[2].strip().rstrip(";")
            # The contract's look at the columns has no effect.
            if sql and not sql.startswith("select"):
                statements.append((event["data"]["node_info"]["node_name"], sql))
    return statements


class SmallWarehouse:
    """A warehouse in memory that takes batches and is built by a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.connection = duckdb.connect()
        self.connection.execute("attach ':memory:' as warehouse")
        self.connection.execute("use warehouse")
        self.connection.execute("set threads = 1")
        self.connection.execute("create schema changes")
        self.connection.execute("create schema staging")
        self.connection.execute("create schema intermediate")
        create_raw_tables(self.connection)
        self.connection.execute(f"attach '{recording.seeds}' as seeds (read_only)")
        for seed in ("completeness_attributes", "mandatory_fields"):
            self.connection.execute(f"create table main.{seed} as from seeds.main.{seed}")
        self.connection.execute("detach seeds")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def load(self, path: str, version: int, events: Sequence[Row], source: str = "default") -> None:
        """Take a version of a file, as the loader does."""
        accepted = judged(path, events, source)
        batch_id = f"{source}/{path}/{version}"
        batch = batch_of(batch_id, source, path, version, len(accepted))
        before = current_batch(self.connection, batch)
        self.connection.execute(
            "insert into raw.batches by name select ? as batch_id, ? as source, ? as path,"
            " ? as version, ? as file_sha256, ? as accepted, ? as records_read, 0 as quarantined,"
            " 0 as skipped, 0 as blank_lines, ?::timestamp as registered_at",
            [batch_id, source, path, version, batch_id, len(accepted), len(accepted), RECEIPT],
        )
        self.connection.register("accepted", accepted.to_arrow())
        self.connection.execute(
            "insert into raw.events by name select *, ? as batch_id from accepted", [batch_id]
        )
        self.connection.unregister("accepted")
        note_changes(self.connection, before, current_batch(self.connection, batch))

    def build(self, *, full: bool = False, until: str | None = None) -> None:
        """Build in full or incrementally; `until` a model, as if the machine died there."""
        statements = self.recording.full if full else self.recording.incremental
        for model, sql in statements:
            if model == until:
                # A transaction of dbt is a model.
                return
            try:
                self.connection.execute(sql)
            except duckdb.Error as error:
                error.add_note(f"in {model}")
                raise
        self.finish()

    def finish(self) -> None:
        """Forget what was touched: the build has run through."""
        changed = self.connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'changes'"
        ).fetchall()
        for (name,) in changed:
            self.connection.execute(f'truncate changes."{name}"')
        self.connection.execute("truncate raw.touched_ids")
        self.connection.execute("truncate raw.touched_batches")

    def tables(self) -> list[str]:
        """All tables that models make, in the order they are made."""
        found = self.connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'warehouse' and schema_name in ('main', 'intermediate')"
            " order by table_oid"
        ).fetchall()
        return [name for (name,) in found]

    def differences(self, other: Self, limit: int = 3) -> Iterator[str]:
        """Say where the tables differ from those of another warehouse."""
        for table in sorted(self.tables()):
            name = table.partition(".")[2]
            if name in HISTORY or name.startswith("int_touched"):
                continue
            self.connection.register(
                "other", other.connection.sql(f"from {table}").to_arrow_table()
            )
            for label, query in (
                ("unexpected", f"from {table} except all from other"),
                ("missing", f"from other except all from {table}"),
            ):
                rows = self.connection.execute(query).fetchall()
                for row in rows[:limit]:
                    yield f"{table} {label} ({len(rows)} in all): {row}"
            self.connection.unregister("other")


def judged(path: str, events: Sequence[Row], source: str) -> pl.DataFrame:
    """The accepted rows of a file of these events, all of which must be valid."""
    chunk = RecordChunk()
    for number, row in enumerate(events, start=1):
        chunk.add(as_json(row).encode(), number)
    origin = Origin(source=source, source_file=path, received_at=RECEIPT)
    frames = [pl.DataFrame(schema=ACCEPTED_SCHEMA)]
    for split in EventContract().judge(iter([chunk]), origin):
        assert split.quarantined.is_empty(), split.quarantined
        frames.append(split.accepted)
    return pl.concat(frames)


def batch_of(batch_id: str, source: str, path: str, version: int, records: int) -> Batch:
    """A batch as a commit names it."""
    books = Books(records, records)
    times = (RECEIPT, RECEIPT, RECEIPT)
    return Batch(batch_id, source, path, version, "jsonl", batch_id, 0, *times, "", books)
