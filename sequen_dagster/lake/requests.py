"""Lake: which files a run is asked to take in next, planned from what the ledger knows.

In: the files that are not committed, and the runs under way. Out: groups of whole files, disjoint
and bounded, each under a name that stands for these versions of these files.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Self, TypeVar

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.home.layout import Home
from sequen_dagster.lake.ledger_rows import FileStatus, file_key
from sequen_dagster.settings import SequenSettings

# Two polls that find the same; one alone cannot know a file that still grows.
_OBSERVATIONS: Final = 2

Item = TypeVar("Item")


@dataclass(frozen=True)
class GroupLimits:
    """How much one commit takes.

    Attributes:
        max_bytes: most bytes of all files together; a larger file is a group of its own.
        max_files: most files.
    """

    max_bytes: int = 8 * 1024**3
    max_files: int = 5_000

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The limits that the settings name."""
        return cls(settings.run_bytes, settings.run_files)


@dataclass(frozen=True)
class RequestRules:
    """When a file counts as whole, and how many runs take in how much at a time.

    Attributes:
        complete_when: by the name of a source, how its files are known to be whole.
        group: how much one run takes.
        max_runs: most runs at a time.
        quiet_seconds: how long a file must be observed unchanged.
    """

    complete_when: Mapping[str, str]
    group: GroupLimits = field(default_factory=GroupLimits)
    max_runs: int = 2
    quiet_seconds: int = 30

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The rules that the settings name."""
        return cls(
            {source.name: source.complete_when for source in settings.sources},
            GroupLimits.of(settings),
            settings.runs_per_tick,
            settings.quiet_seconds,
        )


@dataclass(frozen=True)
class FileGroup:
    """The files that one run is to take in.

    Attributes:
        name: 32 hex digits over home, files and number of the try: asked for twice, it is the same
            request; a file that comes back after a run makes it another one.
        files: the files.
    """

    name: str
    files: tuple[ExportFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class RequestPlan:
    """What a poll of the locations leads to.

    Attributes:
        requests: the runs to ask for now.
        arriving: files that are not whole yet.
        backing_off: files that failed, until their next try is due.
        waiting: whole files that have to wait for a run to end.
        under_way: files that a run is taking in.
        dead_lettered: files that are not tried again.
    """

    requests: tuple[FileGroup, ...] = ()
    arriving: tuple[FileStatus, ...] = ()
    backing_off: tuple[FileStatus, ...] = ()
    waiting: tuple[FileStatus, ...] = ()
    under_way: tuple[FileStatus, ...] = ()
    dead_lettered: tuple[FileStatus, ...] = ()

    @property
    def whole(self) -> list[ExportFile]:
        """All files that are whole, asked for or not."""
        requested = [file for file_group in self.requests for file in file_group.files]
        return [*requested, *(status.file for status in self.waiting)]


def plan_requests(
    statuses: Sequence[FileStatus],
    home: Home,
    rules: RequestRules,
    *,
    now: datetime,
    announced: Collection[ExportFile] = (),
    running: Collection[str] = (),
) -> RequestPlan:
    """Plan the next runs.

    Args:
        statuses: of the files that are not committed as they lie there.
        home: the home, which is part of the names of the groups.
        rules: the limits of a run, and how many runs there may be.
        now: the time, UTC without zone.
        announced: files that their sender says are whole.
        running: names of the groups whose runs have not ended.

    Returns:
        The plan; it depends on nothing but the arguments.
    """
    kinds: dict[str, list[FileStatus]] = {
        kind: [] for kind in ("under_way", "dead_lettered", "arriving", "backing_off", "ready")
    }
    for status in statuses:
        if status.file_group in running:
            kind = "under_way"
        elif status.state == "dead_lettered":
            kind = "dead_lettered"
        elif not _is_whole(status, rules, now, announced):
            kind = "arriving"
        elif not status.is_due(now):
            kind = "backing_off"
        else:
            kind = "ready"
        kinds[kind].append(status)
    ready = kinds.pop("ready")
    # What has failed comes last, so that it never keeps new files waiting.
    ready.sort(key=lambda status: (status.attempts, file_key(status.file)))
    free = max(0, rules.max_runs - len(running))
    file_groups = list(_group_files(ready, rules.group))
    requests = tuple(_name_group(file_group, home) for file_group in file_groups[:free])
    return RequestPlan(
        requests=requests,
        waiting=tuple(status for file_group in file_groups[free:] for status in file_group),
        **{kind: tuple(found) for kind, found in kinds.items()},
    )


def split_into_groups(
    items: Iterable[Item], limits: GroupLimits, *, file_of: Callable[[Item], ExportFile]
) -> Iterator[list[Item]]:
    """Split items into groups that one commit takes, in the order given.

    Args:
        items: whatever stands for the files.
        limits: how much a group holds.
        file_of: the file of an item.
    """
    file_group: list[Item] = []
    size = 0
    for item in items:
        size += file_of(item).size_bytes
        if file_group and (size > limits.max_bytes or len(file_group) >= limits.max_files):
            yield file_group
            file_group, size = [], file_of(item).size_bytes
        file_group.append(item)
    if file_group:
        yield file_group


def _is_whole(
    status: FileStatus, rules: RequestRules, now: datetime, announced: Collection[ExportFile]
) -> bool:
    if rules.complete_when[status.file.source] != "stable":
        return status.file in announced
    # By our own polls, never by the file's time: that may be hours off, or set on purpose.
    first_seen = datetime.fromisoformat(status.first_seen_at)
    is_quiet = now - first_seen >= timedelta(seconds=rules.quiet_seconds)
    return status.state != "seen" or (status.observations >= _OBSERVATIONS and is_quiet)


def _group_files(ready: Iterable[FileStatus], limits: GroupLimits) -> Iterator[list[FileStatus]]:
    """Bounded groups; those asked for before, whose run never came to be, as they were."""
    requested: dict[str, list[FileStatus]] = {}
    fresh: list[FileStatus] = []
    for status in ready:
        if status.file_group:
            requested.setdefault(status.file_group, []).append(status)
        else:
            fresh.append(status)
    yield from requested.values()
    yield from split_into_groups(fresh, limits, file_of=attrgetter("file"))


def _name_group(file_group: Sequence[FileStatus], home: Home) -> FileGroup:
    names = [f"{file_key(status.file)}:{status.requests}" for status in file_group]
    digest = hashlib.sha256("\n".join([str(home.root), *sorted(names)]).encode()).hexdigest()[:16]
    return FileGroup(digest, tuple(status.file for status in file_group))
