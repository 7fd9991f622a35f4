"""Lake: rows that have to go for good: those of erased people, and raw text past its time.

In: the commits, and what has to go. Out: the same commits in their next revision, and nothing left
of the rows before. Nothing else ever changes rows that were committed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA, Split
from sequen_dagster.contract.erasures import (
    NO_ERASURES,
    Erasures,
    split_without_erased,
    without_text,
)
from sequen_dagster.contract.quarantine import count_errors
from sequen_dagster.contract.warnings import Counts
from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.home.durable import UNFINISHED
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.home.locks import quiet_home
from sequen_dagster.lake.commits import (
    Batch,
    Commit,
    FirstError,
    named_rows,
    read_commits,
    write_commit,
)
from sequen_dagster.lake.erasures import read_erasures
from sequen_dagster.lake.row_writer import RowWriter
from sequen_dagster.lake.tally import Tally
from sequen_dagster.lake.tidying import (
    find_old_raw_text,
    is_rewriting_due,
    outdated_manifests,
    remove_abandoned_rows,
)
from sequen_dagster.runtime.fail_points import fail_point

# A revision is part of the name of its rows.
_NAME: Final = re.compile(r"(?P<stem>.+?)(-r(?P<revision>[0-9]+))?\.parquet")

RemovalOf = Callable[[Batch], "Removal | None"]


@dataclass(frozen=True)
class Rewritten:
    """What was taken out of the lake, or would be.

    Attributes:
        events: rows of accepted events, in all versions of all files.
        quarantined: rows of quarantined records.
        raw_texts: quarantined records that stay, without their text.
        batches: batches that held any of these.
        commits: commits that held one of those batches.
        files: source and path of the export files that these batches are made of.
    """

    events: int = 0
    quarantined: int = 0
    raw_texts: int = 0
    batches: int = 0
    commits: int = 0
    files: frozenset[tuple[str, str]] = frozenset()

    def __add__(self, other: "Rewritten") -> "Rewritten":
        return Rewritten(
            self.events + other.events,
            self.quarantined + other.quarantined,
            self.raw_texts + other.raw_texts,
            self.batches + other.batches,
            self.commits + other.commits,
            self.files | other.files,
        )


@dataclass(frozen=True)
class Removal:
    """What has to go from the rows of a batch.

    Attributes:
        erasures: whose records.
        is_raw_due: whether all raw text of quarantined records goes, of every person.
    """

    erasures: Erasures = NO_ERASURES
    is_raw_due: bool = False

    def remove_from(self, split: Split) -> tuple[Split, Counts]:
        """The rows without what has to go, and the records that were left out."""
        kept, erased = split_without_erased(split, self.erasures)
        if self.is_raw_due:
            is_mute = kept.quarantined["raw"].is_not_null()
            kept = replace(kept, quarantined=without_text(kept.quarantined, is_mute))
        return kept, erased


def count_erased(lake: Lake, erasures: Erasures) -> Rewritten:
    """What `erase_rows` would take out of the lake; nothing is written."""
    total = _Total()
    removal = Removal(erasures)
    for commit in read_commits(lake):
        total.add(commit, [_count_removed(lake, batch, removal) for batch in commit.batches])
    return total.rewritten


def erase_rows(lake: Lake, erasures: Erasures) -> Rewritten:
    """Take the records of erased people out of every commit, old versions of files included.

    Hold `quiet_home`. A run that breaks off is finished by the same call.

    Args:
        lake: the lake.
        erasures: the list as it is noted.

    Returns:
        What was taken out.
    """
    removal = Removal(erasures)
    return _rewrite_commits(lake, lambda _: removal, erasures)


def drop_old_raw_text(home: Home, *, days: int | None, now: datetime | None = None) -> Rewritten:
    """Drop the text of quarantined records that were registered more than `days` ago.

    Rows, rules and lines stay. What is in the way (a build, a commit) goes first: then nothing is
    done until the next time. What killed runs have left half written, or replaced and not removed,
    goes too.

    Args:
        home: the home.
        days: how long text is kept; None keeps all.
        now: this moment, UTC without zone.

    Returns:
        What was dropped.
    """
    lake = home.lake
    remove_abandoned_rows(lake)
    if not is_rewriting_due(lake, days=days, now=now):
        return Rewritten()
    is_due = find_old_raw_text(days=days, now=now)

    def removal_of(batch: Batch) -> Removal | None:
        return Removal(is_raw_due=True) if is_due(batch) else None

    try:
        with quiet_home(home, timeout_seconds=0):
            return _rewrite_commits(lake, removal_of, read_erasures(lake))
    except LockTimeoutError:
        return Rewritten()


class _Total:
    """Adds up what is found; a batch that two commits hold counts once."""

    def __init__(self) -> None:
        self.rewritten = Rewritten()
        self._seen: set[tuple[str, int]] = set()

    def add(self, commit: Commit, found: Iterable[Rewritten | None]) -> None:
        changed = [(batch, one) for batch, one in zip(commit.batches, found, strict=True) if one]
        for batch, one in changed:
            if (batch.batch_id, batch.version) not in self._seen:
                self._seen.add((batch.batch_id, batch.version))
                file = frozenset({(batch.source, batch.path)})
                self.rewritten += replace(one, batches=1, files=file)
        self.rewritten += Rewritten(commits=1 if changed else 0)


def _rewrite_commits(lake: Lake, removal_of: RemovalOf, erasures: Erasures) -> Rewritten:
    total = _Total()
    for commit in read_commits(lake):
        removals = [removal_of(batch) for batch in commit.batches]
        counts = [
            _count_removed(lake, batch, removal) if removal else None
            for batch, removal in zip(commit.batches, removals, strict=True)
        ]
        total.add(commit, counts)
        if not any(counts):
            continue
        batches = tuple(
            _rewrite_batch(lake, batch, removal, count) if removal and count else batch
            for batch, removal, count in zip(commit.batches, removals, counts, strict=True)
        )
        fail_point("erase.rows_rewritten")
        write_commit(lake, replace(commit, batches=batches))
        fail_point("erase.manifest_replaced")
    # Only at the end: two commits may name the same rows.
    _remove_replaced(lake, erasures)
    remove_abandoned_rows(lake)
    fail_point("erase.old_removed")
    return total.rewritten


def _count_removed(lake: Lake, batch: Batch, removal: Removal) -> Rewritten | None:
    """What has to go from a batch; None where it may stay as it is."""
    columns = ["type", *removal.erasures.fields]
    # Events are read by these columns only, and not at all where only text has to go.
    events = _read_rows(lake, batch.events if removal.erasures.digests else (), columns=columns)
    splits = chain(events, _read_rows(lake, batch.quarantine))
    count = sum((_count_removed_rows(split, removal) for split in splits), Rewritten())
    return count if removal.is_raw_due or count != Rewritten() else None


def _rewrite_batch(lake: Lake, batch: Batch, removal: Removal, count: Rewritten) -> Batch:
    """Write the rows that stay; the rows before are left for `_remove_replaced`."""
    has_new_events = count.events > 0
    has_new_quarantine = removal.is_raw_due or count.quarantined + count.raw_texts > 0
    names = [
        *(batch.events if has_new_events else ()),
        *(batch.quarantine if has_new_quarantine else ()),
    ]
    tally = Tally(warnings=_counts(batch, "warning"), skipped=_counts(batch, "skipped"))
    with RowWriter(lake, batch.path, about_bytes=batch.file_bytes) as writer:
        for split in _read_rows(lake, names):
            kept, erased = removal.remove_from(split)
            tally.count_split(kept, erased)
            writer.write(kept)
        events, quarantine = writer.publish(batch.batch_id, _next_name(batch))
    if not has_new_quarantine:
        tally.errors, tally.first_error = _counts(batch, "error"), batch.first_error
    old, new = batch.record_counts, tally.record_counts
    return replace(
        batch,
        record_counts=replace(
            old,
            accepted=new.accepted if has_new_events else old.accepted,
            quarantined=new.quarantined if has_new_quarantine else old.quarantined,
            skipped=old.skipped + new.skipped,
        ),
        rule_counts=tally.rule_counts(),
        events=events if has_new_events else batch.events,
        quarantine=quarantine if has_new_quarantine else batch.quarantine,
        first_error=_with_message(tally.first_error, batch.first_error),
        erasures=removal.erasures.fingerprint or batch.erasures,
        revision=batch.revision + 1,
        is_raw_dropped=batch.is_raw_dropped or removal.is_raw_due,
    )


def _count_removed_rows(split: Split, removal: Removal) -> Rewritten:
    """What of some rows has to go."""
    kept, _ = removal.remove_from(split)
    before, after = split.quarantined["raw"].null_count(), kept.quarantined["raw"].null_count()
    return Rewritten(
        events=len(split.accepted) - len(kept.accepted),
        quarantined=len(split.quarantined) - len(kept.quarantined),
        raw_texts=after - before,
    )


def _read_rows(
    lake: Lake, names: Iterable[str], *, columns: list[str] | None = None
) -> Iterator[Split]:
    """The rows of Parquet files of the lake, one row group at a time, as the contract gave them."""
    for name in names:
        is_events = name.startswith("events/")
        with pq.ParquetFile(lake.rows(name)) as file:
            for group in range(file.num_row_groups):
                rows = pl.DataFrame(file.read_row_group(group, columns))
                if is_events:
                    yield Split(rows, QUARANTINED_SCHEMA.to_frame(), Counter(), Counter())
                else:
                    yield Split(ACCEPTED_SCHEMA.to_frame(), rows, count_errors(rows), Counter())


def _with_message(first: FirstError | None, before: FirstError | None) -> FirstError | None:
    """The first error of rewritten rows; of a whole file with what was said of it before."""
    if first and before and (first.line, first.rule) == (before.line, before.rule):
        return before
    return first


def _counts(batch: Batch, severity: str) -> Counts:
    counts = [one for one in batch.rule_counts if one.severity == severity]
    return Counter({(one.type, one.rule): one.records for one in counts})


def _next_name(batch: Batch) -> str:
    stem, _ = _split_revision((*batch.events, *batch.quarantine)[0])
    return f"{stem.rpartition('/')[2]}-r{batch.revision + 1}"


def _split_revision(name: str) -> tuple[str, int]:
    """The name of a Parquet file without its revision, and the revision."""
    parts = _NAME.fullmatch(name)
    return (parts["stem"], int(parts["revision"] or 0)) if parts else (name, 0)


def _remove_replaced(lake: Lake, erasures: Erasures) -> None:
    """Remove rows and manifests that a later revision has replaced, and unnamed rows of the erased.

    Rows that no commit names may belong to a run that commits them later; those hold no person on
    the list, or will not be committed.
    """
    named = {_split_revision(name): lake.rows(name) for name in sorted(named_rows(lake))}
    latest: dict[str, int] = {}
    for stem, revision in named:
        latest[stem] = max(revision, latest.get(stem, 0))
    for file in [path for path in lake.list_rows() if path.suffix == ".parquet"]:
        name = lake.name_of(file)
        stem, revision = _split_revision(name)
        if (stem, revision) in named:
            continue
        # Written later under the name of old, it is of a run that is about to commit it.
        is_replaced = revision < latest.get(stem, 0) and (
            file.stat().st_mtime_ns <= named[stem, latest[stem]].stat().st_mtime_ns
        )
        if is_replaced or _has_erased(lake, name, erasures):
            file.unlink()
    # Last, since a manifest that is left over shows that this was not finished. The unfinished ones
    # are of killed processes: the one that commits holds the lock.
    for manifest in {*outdated_manifests(lake), *lake.commits.glob(UNFINISHED)}:
        manifest.unlink()


def _has_erased(lake: Lake, name: str, erasures: Erasures) -> bool:
    removal = Removal(erasures)
    splits = _read_rows(lake, [name])
    return any(_count_removed_rows(split, removal) != Rewritten() for split in splits)
