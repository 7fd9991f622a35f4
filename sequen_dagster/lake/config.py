"""Lake: what a run may ask of the step that takes in files, by its config and by its tags."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Self

import dagster as dg
import pydantic

from sequen_dagster.compat.dagster_launch import checked_at_launch
from sequen_dagster.errors import SettingsError
from sequen_dagster.lake.drain import Order
from sequen_dagster.lake.replay import Choice
from sequen_dagster.names import Names

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# 32 digits: the ledger of a home may hold names of an earlier build.
_FILE_GROUP: Final = re.compile(r"([0-9a-f]{16}|[0-9a-f]{32})?")


def _check_day(text: str) -> str:
    if text:
        try:
            is_day = bool(_DAY.fullmatch(text) and date.fromisoformat(text))
        except ValueError:
            is_day = False
        if not is_day:
            message = (
                f"{text!r} is not a day. Give one as YYYY-MM-DD, such as '2025-07-14', or '' for "
                "no bound."
            )
            raise ValueError(message)
    return text


def _check_pattern(pattern: str) -> str:
    names = pattern.split("/")
    if pattern != pattern.strip() or {"", ".", ".."} & set(names):
        message = (
            f"{pattern!r} can match no file. Give a path as it stands below the location of its "
            "source, such as '2025-07-14/app.jsonl', or with wild cards, such as '2025-07-*/*'; "
            "without '/' at its ends, '.' or '..'."
        )
        raise ValueError(message)
    return pattern


Day = Annotated[str, pydantic.AfterValidator(_check_day)]
PathPattern = Annotated[str, pydantic.AfterValidator(_check_pattern)]


@checked_at_launch
class LakeConfig(dg.Config):
    """What a run may ask of the lake. As it stands, the run takes in every new file.

    A field that begins with `replay_` has files that were taken in before validated again, by the
    rules of today; of several, all have to hold.
    """

    replay_stale: bool = pydantic.Field(
        default=False,
        description=(
            "Validate again what other rules or limits than today's have validated. Files that "
            "today's have validated are left out."
        ),
    )
    replay_since: Day = pydantic.Field(
        default="",
        description="Validate again what arrived on this day (UTC, YYYY-MM-DD) or later.",
    )
    replay_until: Day = pydantic.Field(
        default="",
        description="Validate again what arrived on this day (UTC, YYYY-MM-DD) or earlier.",
    )
    replay_paths: list[PathPattern] = pydantic.Field(
        default=[],
        description=(
            "Validate again files of these paths below the location (or source/path); `*` stands "
            "for any text, `?` for one character. Example: ['2025-07-14/*']."
        ),
    )
    replay_quarantined: bool = pydantic.Field(
        default=False, description="Validate again files that hold quarantined records."
    )
    retry_dead_lettered: bool = pydantic.Field(
        default=False,
        description="Try files again that were given up after repeated failures.",
    )

    @pydantic.model_validator(mode="after")
    def _days_are_in_order(self) -> Self:
        if self.replay_since and self.replay_until and self.replay_since > self.replay_until:
            message = (
                f"replay_since ({self.replay_since}) is after replay_until "
                f"({self.replay_until}), so no file could be chosen. Exchange the two."
            )
            raise ValueError(message)
        return self

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


def order_of(tags: Mapping[str, str], names: Names) -> Order:
    """Which pending files a run takes in, by the tags that our sensor and schedule give it.

    Tags, since a person does not choose them, and they would be in the way among those in the
    launchpad. A run that is executed again keeps them.

    Args:
        tags: of the run.
        names: of the pipeline.

    Raises:
        SettingsError: the tag is not the name of a file group.
    """
    file_group = tags.get(names.file_group_tag, "")
    if not _FILE_GROUP.fullmatch(file_group):
        message = (
            f"tag {names.file_group_tag} names no file group; only the sensor "
            f"{names.new_exports_sensor} gives it. Start the run without it."
        )
        raise SettingsError(message)
    return Order(file_group, is_stable=names.only_stable_tag in tags)
