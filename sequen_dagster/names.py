"""Names of the Dagster objects, declared once and built from one name.

A code location may hold several pipelines: objects whose names have to be unique in it begin with
the name of theirs.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from sequen_dagster.errors import SettingsError

# Public assets are for everybody; private ones hold raw text, or are the writer's, and are not
# published; internal ones are steps on the way to the others.
Access = Literal["public", "private", "internal"]
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Names:
    """What the Dagster objects of one pipeline are called.

    Attributes:
        name: of the pipeline; letters, digits and `_`, a letter first.
        pool: of steps that write the warehouse, where it is another than the name makes.
        tables_step: builds the tables, where it is called otherwise than the name makes.

    Raises:
        SettingsError: the name is another one.

    Example:
        >>> Names("shop").run_job
        'shop_run'
    """

    name: str = "sequen"
    pool: str = ""
    tables_step: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            message = (
                f"{self.name!r} cannot be the name of a pipeline, with which those of its jobs, "
                "sensors and steps begin. Take letters, digits and `_`, a letter first."
            )
            raise SettingsError(message)

    # Assets; a table's asset is called as its dbt model.
    raw_events = "raw_events"
    validated_events = "validated_events"
    quarantined_records = "quarantined_records"
    warehouse = "warehouse"
    published_snapshot = "published_snapshot"
    completeness_report = "completeness_report"
    dbt_docs = "dbt_docs"
    training_set = "training_set"

    def group(self, stage: str) -> str:
        """The group of a stage's assets."""
        return f"{self.name}_{stage}"

    def step(self, asset: str) -> str:
        """The step that makes an asset by itself."""
        return f"{self.name}_{asset}"

    @property
    def lake_op(self) -> str:
        """The step that takes in files."""
        return f"{self.name}_lake"

    @property
    def marts_op(self) -> str:
        """The step that builds the tables."""
        return self.tables_step or f"{self.name}_marts"

    def stage_of(self, step: str) -> str:
        """What a person calls a step: `lake` of `sequen_lake`, and an asset's step by its name."""
        return "marts" if step == self.marts_op else step.removeprefix(f"{self.name}_")

    @property
    def drain_job(self) -> str:
        """Takes in files."""
        return f"{self.name}_drain"

    @property
    def run_job(self) -> str:
        """Does everything from files to reports."""
        return f"{self.name}_run"

    @property
    def verify_job(self) -> str:
        """Proves that the tables are right."""
        return f"{self.name}_verify"

    @property
    def replay_job(self) -> str:
        """Validates files again that were taken in before."""
        return f"{self.name}_replay"

    @property
    def rebuild_job(self) -> str:
        """Builds all tables from nothing."""
        return f"{self.name}_rebuild"

    @property
    def jobs(self) -> tuple[str, ...]:
        """All jobs."""
        return (self.drain_job, self.run_job, self.replay_job, self.rebuild_job, self.verify_job)

    @property
    def new_exports_sensor(self) -> str:
        """Starts runs for files that have arrived."""
        return f"{self.name}_new_exports"

    @property
    def automation_sensor(self) -> str:
        """Builds and publishes after new commits."""
        return f"{self.name}_automation"

    @property
    def run_failures_sensor(self) -> str:
        """Reports runs that failed."""
        return f"{self.name}_run_failures"

    @property
    def daily_schedule(self) -> str:
        """Starts a run of everything once a day."""
        return f"{self.name}_daily"

    @property
    def writer_pool(self) -> str:
        """Steps that write the warehouse."""
        return self.pool or f"{self.name}_warehouse_writer"

    @property
    def automation_tag(self) -> str:
        """Tag of a run that only the automation has asked for."""
        return f"{self.name}/automation"

    @property
    def file_group_tag(self) -> str:
        """Tag of a run: the group of files that it was asked to take in."""
        return f"{self.name}/file_group"

    @property
    def only_stable_tag(self) -> str:
        """Tag of a run that takes in only files that are whole, as far as two polls can know."""
        return f"{self.name}/only_stable"

    # Of assets and runs of any pipeline: a tag with what a run does, in a few words; one with whom
    # an asset is for, an `Access`; metadata of a table with how its build went about it.
    run_tag = "sequen/run"
    access_tag = "sequen/access"
    build_metadata = "sequen/build"


NAMES: Final = Names()
