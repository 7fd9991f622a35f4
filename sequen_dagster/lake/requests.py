"""Lake: which files a run is asked to take in next, planned from what the ledger knows.

In: the files that are not committed, and the runs under way. Out: portions of whole files, disjoint
and bounded, each under a name that stands for these versions of these files.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.ledger import FileStatus, file_key, is_due
from sequen_dagster.settings import SequenSettings

# Two looks at a place that find the same; one alone cannot tell a file that still grows.
_OBSERVATIONS = 2

Item = TypeVar("Item")


@dataclass(frozen=True)
class FileGroup:
    """The files that one run is to take in.

    Attributes:
        name: 32 hex digits over place, content and number of the try: asked for twice, it is the
            same request; a file that comes back after a run makes it another one.
        files: the files.
    """

    name: str
    files: tuple[ExportFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class Plan:
    """What a look at the exports places leads to.

    Attributes:
        requests: the runs to ask for now.
        arriving: files that are not whole yet.
        stable: files that failed, until their next try is due.
        waiting: whole files that have to wait for a run to end.
        under_way: files that a run is taking in.
        dead_lettered: files that are not tried again.
    """

    requests: tuple[FileGroup, ...] = ()
    arriving: tuple[FileStatus, ...] = ()
    stable: tuple[FileStatus, ...] = ()
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
    settings: SequenSettings,
    *,
    now: datetime,
    announced: Collection[ExportFile] = (),
    running: Collection[str] = (),
) -> Plan:
    """Plan the next runs.

    Args:
        statuses: of the files that are not committed as they lie there.
        settings: the limits of a run, and how many runs there may be.
        now: the time, UTC without zone.
        announced: files that their sender says are whole.
        running: names of the portions whose runs have not ended.

    Returns:
        The plan; it depends on nothing but the arguments.
    """
    by_source = {source.name: source.complete_when for source in settings.sources}
    kinds: dict[str, list[FileStatus]] = {
        kind: [] for kind in ("under_way", "dead_lettered", "arriving", "stable", "ready")
    }
    for status in statuses:
        if status.file_group in running:
            kind = "under_way"
        elif status.state == "dead_lettered":
            kind = "dead_lettered"
        elif not _is_whole(status, by_source[status.file.source], settings, now, announced):
            kind = "arriving"
        elif not is_due(status.retry_at, now):
            kind = "stable"
        else:
            kind = "ready"
        kinds[kind].append(status)
    ready = kinds.pop("ready")
    # What has failed comes last, so that it never keeps new files waiting.
    ready.sort(key=lambda status: (status.attempts, file_key(status.file)))
    free = max(0, settings.runs_per_tick - len(running))
    file_groups = list(_file_groups(ready, settings))
    requests = tuple(_named(file_group, settings.home) for file_group in file_groups[:free])
    return Plan(
        requests=requests,
        waiting=tuple(status for file_group in file_groups[free:] for status in file_group),
        **{kind: tuple(found) for kind, found in kinds.items()},
    )


def bounded(
    items: Iterable[Item], settings: SequenSettings, *, file_of: Callable[[Item], ExportFile]
) -> Iterator[list[Item]]:
    """Portions of at most `run_bytes` and `run_files`, in the order given.

    Args:
        items: whatever stands for the files.
        settings: the limits; a file that is larger is a portion of its own.
        file_of: the file of an item.
    """
    file_group: list[Item] = []
    size = 0
    for item in items:
        size += file_of(item).size_bytes
        if file_group and (size > settings.run_bytes or len(file_group) >= settings.run_files):
            yield file_group
            file_group, size = [], file_of(item).size_bytes
        file_group.append(item)
    if file_group:
        yield file_group


def _is_whole(
    status: FileStatus,
    complete_when: str,
    settings: SequenSettings,
    now: datetime,
    announced: Collection[ExportFile],
) -> bool:
    if complete_when != "stable":
        return status.file in announced
    # By our own looks, never by the file's time: that may be hours off, or set on purpose.
    first_seen = datetime.fromisoformat(status.first_seen_at)
    has_rested = now - first_seen >= timedelta(seconds=settings.quiet_seconds)
    return status.state != "seen" or (status.observations >= _OBSERVATIONS and has_rested)


def _file_groups(
    ready: Iterable[FileStatus], settings: SequenSettings
) -> Iterator[list[FileStatus]]:
    """Bounded portions; those asked for before, whose run never came to be, as they were."""
    asked: dict[str, list[FileStatus]] = {}
    fresh: list[FileStatus] = []
    for status in ready:
        if status.file_group:
            asked.setdefault(status.file_group, []).append(status)
        else:
            fresh.append(status)
    yield from asked.values()
    yield from bounded(fresh, settings, file_of=attrgetter("file"))


def _named(file_group: Sequence[FileStatus], home: Path) -> FileGroup:
    names = [f"{file_key(status.file)}:{status.requests}" for status in file_group]
    digest = hashlib.sha256("\n".join([str(home), *sorted(names)]).encode()).hexdigest()[:32]
    return FileGroup(digest, tuple(status.file for status in file_group))
