"""A sensor, its ticks, and the runs that come of them, without a daemon."""

import uuid
from dataclasses import dataclass, field

import dagster as dg

from sequen_dagster.lake.drain import Drained, Intake, Order
from sequen_dagster.lake.requests import RequestRules
from sequen_dagster.names import NAMES
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.new_files import build_new_files_sensor
from support.graphs import graph_of
from support.lake import drain


@dataclass
class Daemon:
    """What Dagster's daemon does with the sensor: it starts each run key once, and no more."""

    settings: SequenSettings
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    run_keys: set[str] = field(default_factory=set)
    message: str = ""

    def sensor(self) -> dg.SensorDefinition:
        """The sensor by the settings."""
        return build_new_files_sensor(
            Intake.of(self.settings),
            RequestRules.of(self.settings),
            graph_of(self.settings),
            tick_seconds=self.settings.tick_seconds,
            status=dg.DefaultSensorStatus.RUNNING,
        )

    def evaluate(self, cursor: str | None = None) -> list[dg.RunRequest]:
        """One evaluation of the sensor; nothing is started."""
        sensor = self.sensor()
        with dg.build_sensor_context(instance=self.instance, cursor=cursor) as context:
            result = sensor(context)
        if isinstance(result, dg.SkipReason):
            self.message = result.skip_message or ""
            return []
        assert isinstance(result, dg.SensorResult)
        self.message = ""
        return list(result.run_requests or ())

    def tick(self, cursor: str | None = None) -> list[str]:
        """One evaluation and the start of what it asks for; names of the file groups started."""
        started = []
        for request in self.evaluate(cursor):
            key = request.run_key or ""
            if key not in self.run_keys:
                self.run_keys.add(key)
                self.set_status(key, dg.DagsterRunStatus.STARTED)
                started.append(key)
        return started

    def set_status(self, file_group: str, status: dg.DagsterRunStatus) -> None:
        """Have the run of a file group be in a state."""
        for run in self.instance.get_runs(dg.RunsFilter(tags={NAMES.file_group_tag: file_group})):
            self.instance.delete_run(run.run_id)
        self.instance.add_run(
            dg.DagsterRun(
                job_name=NAMES.drain_job,
                run_id=str(uuid.uuid4()),
                status=status,
                tags={NAMES.file_group_tag: file_group, "dagster/run_key": file_group},
            )
        )

    def work(self, file_group: str) -> Drained:
        """What the run of a file group does, to its end."""
        drained = drain(self.settings, order=Order(file_group))
        self.set_status(file_group, dg.DagsterRunStatus.SUCCESS)
        return drained
