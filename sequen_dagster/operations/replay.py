"""What a replay would validate again, before it is asked for; `run_pipeline` does it.

In: which batches. Out: the files of these batches, and those that have to stay as they are.
"""

from dataclasses import dataclass

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.drain import Intake
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.replay import Choice, ReplayPlan, find_dead_lettered_files, plan_replay
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class ReplayPreview:
    """What a replay would do.

    Attributes:
        plan: batches that would be validated again, and those that cannot be.
        dead_lettered: files that would be tried again.
    """

    plan: ReplayPlan
    dead_lettered: tuple[ExportFile, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.plan.jobs or self.dead_lettered)


def preview_replay(
    settings: SequenSettings, choice: Choice, *, retry_dead_lettered: bool = False
) -> ReplayPreview:
    """Find what a replay would validate again; nothing is changed.

    Args:
        settings: where files are, and the home.
        choice: which batches.
        retry_dead_lettered: whether files that were given up would be tried again.

    Returns:
        The batches and the files.

    Raises:
        ExportsError: a location cannot be listed.
    """
    intake = Intake.of(settings)
    plan = plan_replay(intake, choice)
    if not retry_dead_lettered:
        return ReplayPreview(plan)
    return ReplayPreview(plan, tuple(find_dead_lettered_files(intake, Ledger(intake.home))))
