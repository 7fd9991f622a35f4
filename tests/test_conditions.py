"""When tables are built and published, evaluated by Dagster itself, with a clock of our own.

Stand-ins carry the real conditions: building the real definitions takes seconds each time.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData

from sequen_dagster.marts.conditions import (
    LAST_TABLE,
    publication_condition,
    tables_condition,
)
from sequen_dagster.marts.project import project_dir
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings
from support.homes import settings_of

LAKE, SNAPSHOT = dg.AssetKey("validated_events"), dg.AssetKey("published_snapshot")
TABLES = dg.AssetKey(LAST_TABLE)
EVENTS, REPORT = dg.AssetKey("fct_events"), dg.AssetKey("completeness_report")
BUILD, PUBLICATION = {TABLES, EVENTS}, {SNAPSHOT, REPORT}


def test_no_model_reads_the_table_that_says_that_a_build_has_ended() -> None:
    # Dagster wants a table before those that read it, and this one comes last.
    reading = f"ref('{LAST_TABLE}')"
    models = list((project_dir() / "models").rglob("*.sql"))

    assert len(models) > 50
    assert [path.stem for path in models if reading in path.read_text()] == []


def stand_ins(settings: SequenSettings) -> dg.Definitions:
    condition = tables_condition(NAMES, dg.AssetKey)
    publication = publication_condition(settings, NAMES, dg.AssetKey)

    def stand_in(
        key: dg.AssetKey, deps: list[dg.AssetKey], condition: Any = None
    ) -> dg.AssetsDefinition:
        @dg.asset(key=key, deps=deps, automation_condition=condition)
        def stand_in() -> None:
            """Never run."""

        return stand_in

    return dg.Definitions(
        assets=[
            stand_in(LAKE, []),
            stand_in(EVENTS, [LAKE], condition),
            stand_in(TABLES, [EVENTS], condition),
            stand_in(SNAPSHOT, [TABLES], publication),
            stand_in(REPORT, [SNAPSHOT], publication),
        ]
    )


@dataclass
class Clockwork:
    """Ticks of the automation sensor, and runs that take as long as a test says."""

    definitions: dg.Definitions
    now: datetime = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    cursor: Any = None

    def tick(self, seconds: int = 30) -> set[dg.AssetKey]:
        """The assets that are asked for, so many seconds after the tick before."""
        self.now += timedelta(seconds=seconds)
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            asset_selection=dg.AssetSelection.all(),
            cursor=self.cursor,
            evaluation_time=self.now,
        )
        self.cursor = result.cursor
        keys = (LAKE, EVENTS, TABLES, SNAPSHOT, REPORT)
        return {key for key in keys if result.get_num_requested(key)}

    def ticks(self, count: int, seconds: int = 30) -> list[set[dg.AssetKey]]:
        return [self.tick(seconds) for _ in range(count)]

    def begin(self, keys: Iterable[dg.AssetKey]) -> str:
        """A run that is going to make assets."""
        run_id = str(uuid.uuid4())
        status = dg.DagsterRunStatus.STARTED
        self.instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=status))
        for key in keys:
            planned = AssetMaterializationPlannedData(key)
            event = DagsterEvent.build_asset_materialization_planned_event("job", "s", planned)
            self._log(run_id, event)
        return run_id

    def end(self, run_id: str, keys: Iterable[dg.AssetKey]) -> None:
        """It has made them."""
        for key in keys:
            made = StepMaterializationData(dg.AssetMaterialization(key))
            kind = DagsterEventType.ASSET_MATERIALIZATION.value
            self._log(run_id, DagsterEvent(kind, "job", event_specific_data=made))
        self._log(run_id, DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "job"))

    def run(self, keys: Iterable[dg.AssetKey]) -> None:
        keys = sorted(keys)
        self.end(self.begin(keys), keys)

    def _log(self, run_id: str, event: DagsterEvent) -> None:
        self.instance.handle_new_event(
            dg.EventLogEntry(
                error_info=None,
                level="debug",
                user_message="",
                run_id=run_id,
                timestamp=(self.now + timedelta(seconds=1)).timestamp(),
                job_name="job",
                dagster_event=event,
            )
        )


@pytest.fixture
def clockwork(tmp_path: Path) -> Clockwork:
    """Everything built and published, some while ago."""
    clockwork = Clockwork(stand_ins(settings_of(tmp_path)))
    clockwork.tick()
    clockwork.run([LAKE])
    assert clockwork.tick() == BUILD
    clockwork.run(BUILD)
    assert clockwork.ticks(2, seconds=300).count(PUBLICATION) == 1
    clockwork.run(PUBLICATION)
    clockwork.ticks(2, seconds=300)
    return clockwork


def test_no_run_is_requested_without_new_data(clockwork: Clockwork) -> None:
    assert clockwork.ticks(6, seconds=200) == [set()] * 6


@pytest.mark.fault(44)
def test_burst_of_drains_is_built_once(clockwork: Clockwork) -> None:
    for _ in range(30):
        clockwork.run([LAKE])

    assert clockwork.tick() == BUILD
    clockwork.run(BUILD)
    assert BUILD not in clockwork.ticks(4, seconds=200)


def test_build_waits_for_drains_that_run(clockwork: Clockwork) -> None:
    clockwork.run([LAKE])
    drain = clockwork.begin([LAKE])

    assert clockwork.ticks(3) == [set()] * 3
    clockwork.end(drain, [LAKE])
    assert clockwork.tick() == BUILD


@pytest.mark.slow
def test_drains_without_pause_do_not_starve_the_build(clockwork: Clockwork) -> None:
    builds = 0
    drain = clockwork.begin([LAKE])
    for _ in range(15):
        # The next has begun before this one ends.
        next_drain = clockwork.begin([LAKE])
        clockwork.end(drain, [LAKE])
        drain = next_drain
        if clockwork.tick(60) >= BUILD:
            builds += 1
            clockwork.run(BUILD)

    # A quarter of an hour of it, and five minutes of patience each time.
    assert builds in (2, 3)


@pytest.mark.parametrize("seconds_before", [1, 40])
def test_update_during_a_build_asks_for_the_next_one(
    clockwork: Clockwork, seconds_before: int
) -> None:
    clockwork.run([LAKE])
    assert clockwork.tick() == BUILD
    build = clockwork.begin(BUILD)
    if seconds_before > 30:
        clockwork.tick()

    clockwork.run([LAKE])
    assert clockwork.ticks(2) == [set()] * 2
    clockwork.end(build, BUILD)

    assert [one >= BUILD for one in clockwork.ticks(2)] == [True, False]


def test_tables_are_asked_for_all_or_none(clockwork: Clockwork) -> None:
    clockwork.run([LAKE])
    clockwork.tick()
    build = clockwork.begin(BUILD)
    clockwork.run([LAKE])
    clockwork.tick()
    # The first of its tables is reported; the build has not ended.
    made = StepMaterializationData(dg.AssetMaterialization(EVENTS))
    kind = DagsterEventType.ASSET_MATERIALIZATION.value
    clockwork._log(build, DagsterEvent(kind, "job", event_specific_data=made))

    assert clockwork.tick() == set()


def test_build_that_failed_is_not_asked_for_again_by_itself(clockwork: Clockwork) -> None:
    clockwork.run([LAKE])
    assert clockwork.tick() == BUILD
    clockwork.end(clockwork.begin(BUILD), [])

    assert clockwork.ticks(4, seconds=200) == [set()] * 4
    clockwork.run([LAKE])
    assert clockwork.tick() == BUILD


@pytest.mark.slow
def test_there_is_one_publication_a_slot_and_none_is_forgotten(clockwork: Clockwork) -> None:
    published = []
    for _ in range(18):
        clockwork.run(BUILD)
        if clockwork.tick(60) == PUBLICATION:
            clockwork.run(PUBLICATION)
            published.append(clockwork.now)
    clockwork.run(BUILD)

    slots = [moment.replace(minute=moment.minute // 5 * 5, second=0) for moment in published]
    assert len(published) == len(set(slots)) in (3, 4)
    assert clockwork.ticks(3, seconds=120).count(PUBLICATION) == 1


def test_build_after_a_pause_is_published_at_once(clockwork: Clockwork) -> None:
    clockwork.run(BUILD)

    assert clockwork.tick() == PUBLICATION


def test_tables_built_during_a_publication_are_published_later(clockwork: Clockwork) -> None:
    clockwork.run(BUILD)
    assert clockwork.tick() == PUBLICATION
    publication = clockwork.begin(PUBLICATION)
    clockwork.tick()
    clockwork.run(BUILD)
    clockwork.tick()
    clockwork.end(publication, PUBLICATION)

    assert clockwork.ticks(4, seconds=150).count(PUBLICATION) == 1
