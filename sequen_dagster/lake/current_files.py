"""Lake: what the ledger says of the files as they are now: the state that checks look at.

In: a connection to the ledger. Out: counts over the current version of every path, the files that
were not read, the newest of each source. Each is one pass over the rows, in order of their key.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sequen_dagster.lake.commits import RecordCounts
from sequen_dagster.lake.ledger_rows import FileKey, key_of
from sequen_dagster.runtime.text import SHOWN, quoted

# A metadata-only change has a row without a commit. The other columns are those of the row with the
# largest version: sqlite's rule of `max` beside bare columns.
_CURRENT: Final = """
    select
        source, path, max(version) as version, records_read, accepted, quarantined, skipped,
        quarantined_by_rule, first_error_line, first_error_rule, first_error_message
    from file_versions
    where commit_id is not null
    group by source, path
"""
_TOTAL: Final = f"""
    select
        count(*), coalesce(sum(records_read), 0), coalesce(sum(accepted), 0),
        coalesce(sum(quarantined), 0), coalesce(sum(skipped), 0),
        coalesce(sum(records_read <> accepted + quarantined + skipped), 0)
    from ({_CURRENT})
"""  # noqa: S608  # our own names
_RULES: Final = f"""
    select rule.key, sum(rule.value) as records
    from ({_CURRENT}) as current, json_each(current.quarantined_by_rule) as rule
    group by rule.key
    order by records desc, rule.key
"""  # noqa: S608  # our own names
_MOST_QUARANTINED: Final = f"""
    select source, path, quarantined, records_read from ({_CURRENT})
    where quarantined > 0
    order by quarantined desc, source, path
    limit {SHOWN}
"""  # noqa: S608  # our own names
_UNRECONCILED: Final = f"""
    select source, path, records_read, accepted, quarantined, skipped from ({_CURRENT})
    where records_read <> accepted + quarantined + skipped
    order by source, path
    limit {SHOWN}
"""  # noqa: S608  # our own names
_UNREAD: Final = f"""
    select source, path, first_error_rule, coalesce(first_error_message, '') from ({_CURRENT})
    where first_error_line = 0
    order by source, path
"""  # noqa: S608  # our own names
_FAILED: Final = """
    select source, path, size_bytes, modified_at, etag, state, coalesce(error, '') as error
    from file_versions
    where state in ('failed', 'dead_lettered')
    order by source, path
"""
_NEWEST: Final = """
    select source, path, max(min(modified_at, first_seen_at)) as received_at
    from file_versions
    where state = 'committed'
    group by source
    order by source
"""


@dataclass(frozen=True)
class QuarantinedFile:
    """A file with quarantined records.

    Attributes:
        source: name of the source.
        path: path under the location.
        quarantined: how many records of it are quarantined.
        records_read: how many it holds.
    """

    source: str
    path: str
    quarantined: int
    records_read: int


@dataclass(frozen=True)
class CurrentFiles:
    """The current versions of all paths together.

    Attributes:
        files: how many these are.
        record_counts: where their records went; blank lines are not counted here.
        quarantined_by_rule: each rule with how many records break it, the most frequent first; a
            record may break several.
        most_quarantined: the first 20 files by quarantined records, the most first.
        unreconciled_files: how many files have counts that do not reconcile.
        unreconciled: the first 20 of these, with their counts.
    """

    files: int
    record_counts: RecordCounts
    quarantined_by_rule: tuple[tuple[str, int], ...] = ()
    most_quarantined: tuple[QuarantinedFile, ...] = ()
    unreconciled_files: int = 0
    unreconciled: tuple[tuple[str, RecordCounts], ...] = ()

    @property
    def validated(self) -> int:
        """Records that the contract has looked at."""
        return self.record_counts.accepted + self.record_counts.quarantined


@dataclass(frozen=True)
class UnreadFile:
    """A file whose current version could not be read as a whole.

    Attributes:
        source: name of the source.
        path: path under the location.
        rule: the rule code, such as `unsupported_format`.
        message: what the file is, and what to do; empty in homes of older releases.
    """

    source: str
    path: str
    rule: str
    message: str

    @property
    def why(self) -> str:
        """The rule code, and the message where there is one."""
        return f"{self.rule}: {self.message}" if self.message else self.rule

    def __str__(self) -> str:
        return f"{quoted(self.path)}: {self.why}"


@dataclass(frozen=True)
class FailedFile:
    """A file that could not be read at all when it was tried last.

    Attributes:
        source: name of the source.
        path: path under the location.
        key: the version that failed.
        state: `failed`: it is tried again; `dead_lettered`: it is not.
        error: why.
    """

    source: str
    path: str
    key: FileKey
    state: Literal["failed", "dead_lettered"]
    error: str

    @property
    def why(self) -> str:
        """The error, and whether the file is tried again."""
        return self.error + (" It is dead-lettered." if self.state == "dead_lettered" else "")

    def __str__(self) -> str:
        return f"{quoted(self.path)}: {self.why}"


@dataclass(frozen=True)
class NewestFile:
    """The file of a source that arrived last.

    Attributes:
        source: name of the source.
        path: path under the location.
        received_at: its arrival time.
    """

    source: str
    path: str
    received_at: datetime


def sum_current(connection: sqlite3.Connection) -> CurrentFiles:
    """Sum up the current versions of all paths."""
    files, read, accepted, quarantined, skipped, unreconciled = connection.execute(
        _TOTAL
    ).fetchone()
    return CurrentFiles(
        files,
        RecordCounts(read, accepted, quarantined, skipped),
        tuple((row[0], row[1]) for row in connection.execute(_RULES)) if quarantined else (),
        tuple(QuarantinedFile(*row) for row in connection.execute(_MOST_QUARANTINED))
        if quarantined
        else (),
        unreconciled,
        tuple((row["path"], RecordCounts(*row[2:6])) for row in connection.execute(_UNRECONCILED))
        if unreconciled
        else (),
    )


def select_unread(connection: sqlite3.Connection) -> list[UnreadFile]:
    """Find files whose current version could not be read as a whole, in order of their paths."""
    return [UnreadFile(*row) for row in connection.execute(_UNREAD)]


def select_failed(connection: sqlite3.Connection) -> list[FailedFile]:
    """Find the versions that could not be read at all, in order of their paths."""
    return [
        FailedFile(row["source"], row["path"], key_of(row), row["state"], row["error"])
        for row in connection.execute(_FAILED)
    ]


def select_newest(connection: sqlite3.Connection) -> list[NewestFile]:
    """Find of each source the committed file that arrived last."""
    return [
        NewestFile(row[0], row[1], datetime.fromisoformat(row[2]))
        for row in connection.execute(_NEWEST)
    ]
