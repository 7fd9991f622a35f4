"""Lake: what a run may ask of the step that takes in files."""

from datetime import date
from typing import Annotated, Self

import dagster as dg
import pydantic

from sequen_dagster.lake.replay import Choice

DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"


class LakeConfig(dg.Config):
    """What a run may ask of the lake; by default, to take in every pending file.

    Attributes:
        file_group: only the files that a sensor has set apart under this name.
        only_stable: only files that are whole, as far as two polls can know.
        replay_stale: validate again what other rules have validated.
        replay_paths: validate again batches of these paths (or source/path); `*` and `?` are wild.
        replay_since: validate again batches received on this day (UTC, YYYY-MM-DD) or later.
        replay_until: validate again batches received on this day or earlier.
        replay_quarantined: validate again batches with quarantined records.
        retry_dead_lettered: try files again that were given up.

    Of several `replay_` conditions, all have to hold.
    """

    file_group: Annotated[str, pydantic.Field(pattern=r"^([0-9a-f]{32})?$")] = ""
    only_stable: bool = False
    replay_stale: bool = False
    replay_paths: list[str] = pydantic.Field(default_factory=list)
    replay_since: Annotated[str, pydantic.Field(pattern=DAY_PATTERN)] = ""
    replay_until: Annotated[str, pydantic.Field(pattern=DAY_PATTERN)] = ""
    replay_quarantined: bool = False
    retry_dead_lettered: bool = False

    def choice(self) -> Choice:
        """The batches to validate again."""
        return Choice(
            is_stale=self.replay_stale,
            paths=tuple(self.replay_paths),
            since=date.fromisoformat(self.replay_since) if self.replay_since else None,
            until=date.fromisoformat(self.replay_until) if self.replay_until else None,
            has_quarantined=self.replay_quarantined,
        )

    @classmethod
    def asking(cls, choice: Choice, *, retry_dead_lettered: bool = False) -> Self:
        """The configuration that asks for these batches."""
        return cls(
            replay_stale=choice.is_stale,
            replay_paths=list(choice.paths),
            replay_since=choice.since.isoformat() if choice.since else "",
            replay_until=choice.until.isoformat() if choice.until else "",
            replay_quarantined=choice.has_quarantined,
            retry_dead_lettered=retry_dead_lettered,
        )
