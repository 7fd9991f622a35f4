"""Whatever happens to files, ticks, runs, ledger and cursor, in any order: nothing lost, nothing
twice. A machine draws what happens; a model keeps what must come of it.
"""

import json
import tempfile
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sequen_dagster.lake.commits import current_batches
from support.builders import event
from support.homes import settings_of
from support.lake import drain, lake_of
from support.sensing import Daemon

PATHS = st.sampled_from(["a.jsonl", "b.jsonl", "day=1/a.jsonl"])
ROWS = st.integers(0, 4)


class Deployment(RuleBasedStateMachine):
    """A home, its exports, and a daemon that may be anywhere in its work."""

    file_groups = Bundle("file_groups")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.daemon = Daemon(
            settings_of(
                Path(self._folder.name),
                quiet_seconds=0,
                retry_seconds=0,
                run_files=2,
                runs_per_tick=2,
            )
        )
        self.exports = self.daemon.settings.sources[0].exports
        self.number = 0
        # What lies there now: numbers of the records that can be read, and how many cannot.
        self.files: dict[str, tuple[list[int], int]] = {}
        self.bad = 0

    def teardown(self) -> None:
        """Finish everything; then every file is in the lake as it lies there, once."""
        for _ in range(8):
            for file_group in self.daemon.tick():
                self.daemon.work(file_group)
            for file_group in list(self.daemon.run_keys):
                self.daemon.set_status(file_group, dg.DagsterRunStatus.SUCCESS)
        assert self.daemon.tick() == []
        assert self.daemon.message.startswith("No file is new.")
        batches = current_batches(lake_of(self.daemon.settings))
        held = {
            batch.path: (self.ids_of(batch.events), batch.record_counts.quarantined)
            for batch in batches
        }
        assert {path: held[path] for path in self.files} == {
            path: ([f"e{number}" for number in rows], bad)
            for path, (rows, bad) in self.files.items()
        }
        self._folder.cleanup()

    def ids_of(self, files: tuple[str, ...]) -> list[str]:
        lake = lake_of(self.daemon.settings)
        return [one for name in files for one in pl.read_parquet(lake.rows(name))["id"].to_list()]

    def write(self, path: str) -> None:
        rows, bad = self.files[path]
        lines = [json.dumps(event(id=f"e{number}")) for number in rows] + ["not json"] * bad
        target = self.exports / path
        target.parent.mkdir(exist_ok=True)
        target.write_text("".join(f"{line}\n" for line in lines))

    def new_rows(self, count: int) -> list[int]:
        self.number += count
        return list(range(self.number - count, self.number))

    @rule(path=PATHS, rows=ROWS, bad=st.integers(0, 2))
    def drop_or_overwrite(self, path: str, rows: int, bad: int) -> None:
        self.files[path] = (self.new_rows(rows), bad)
        self.write(path)

    @rule(path=PATHS, rows=ROWS)
    def append(self, path: str, rows: int) -> None:
        before, bad = self.files.get(path, ([], 0))
        self.files[path] = (before + self.new_rows(rows), bad)
        self.write(path)

    @rule(path=PATHS, other=PATHS)
    def copy(self, path: str, other: str) -> None:
        if path in self.files:
            self.files[other] = self.files[path]
            self.write(other)

    @rule(path=PATHS)
    def set_modified_at(self, path: str) -> None:
        if path in self.files:
            (self.exports / path).touch()

    @rule(path=PATHS)
    def vanish(self, path: str) -> None:
        if self.files.pop(path, None):
            (self.exports / path).unlink()

    @rule(target=file_groups, cursor=st.sampled_from([None, "", "garbage"]))
    def tick(self, cursor: str | None) -> list[str]:
        return self.daemon.tick(cursor)

    @rule()
    def tick_that_dies_before_its_runs_are_made(self) -> None:
        self.daemon.evaluate()

    @rule(file_groups=file_groups)
    def runs_do_their_work(self, file_groups: list[str]) -> None:
        for file_group in file_groups:
            self.daemon.work(file_group)

    @rule(file_groups=file_groups, status=st.sampled_from(["FAILURE", "CANCELED"]))
    def runs_die(self, file_groups: list[str], status: str) -> None:
        for file_group in file_groups:
            self.daemon.set_status(file_group, dg.DagsterRunStatus[status])

    @rule()
    def person_takes_everything_in(self) -> None:
        drain(self.daemon.settings)

    @rule()
    def ledger_is_lost(self) -> None:
        for part in self.daemon.settings.home.glob("ledger.sqlite*"):
            part.unlink()

    @rule()
    def dagster_forgets_its_runs(self) -> None:
        for run in self.daemon.instance.get_runs():
            self.daemon.instance.delete_run(run.run_id)
        self.daemon.run_keys.clear()

    @invariant()
    def counts_reconcile_and_no_batch_is_there_twice(self) -> None:
        batches = current_batches(lake_of(self.daemon.settings))
        assert all(batch.record_counts.is_reconciled for batch in batches)
        assert len({batch.batch_id for batch in batches}) == len(batches)


@pytest.mark.slow
@pytest.mark.fault(2)
@pytest.mark.fault(3)
@pytest.mark.fault(4)
@pytest.mark.fault(28)
@pytest.mark.fault(29)
@pytest.mark.fault(30)
@pytest.mark.fault(31)
def test_nothing_is_lost_and_nothing_is_there_twice() -> None:
    run_state_machine_as_test(
        Deployment,
        settings=settings(
            max_examples=80,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
