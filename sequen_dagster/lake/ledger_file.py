"""Lake: the file that the ledger lives in: its tables, and how it is opened and rebuilt."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sequen_dagster.errors import HomeError
from sequen_dagster.home.durable import storage_error

# Raised whenever the tables below change; an older ledger is set aside and rebuilt.
LEDGER_VERSION: Final = 5
_REFUSED: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)
_SCHEMA: Final = """
create table if not exists commits (
    commit_id text primary key,
    committed_at text not null
);
create table if not exists file_versions (
    source text not null,
    path text not null,
    size_bytes integer not null,
    modified_at text not null,
    etag text not null,
    state text not null check (state in ('seen', 'stable', 'committed', 'failed', 'dead_lettered')),
    first_seen_at text not null,
    observations integer not null default 0,
    attempts integer not null default 0,
    retry_at text not null default '',
    begun_at text,
    file_group text,
    requests integer not null default 0,
    version integer not null default 0,
    batch_id text,
    file_sha256 text,
    commit_id text,
    records_read integer,
    accepted integer,
    quarantined integer,
    skipped integer,
    quarantined_by_rule text,
    first_error_line integer,
    first_error_rule text,
    first_error_message text,
    error text,
    updated_at text not null,
    primary key (source, path, size_bytes, modified_at, etag)
) without rowid;
create index if not exists file_versions_by_file_group on file_versions (file_group);
create view if not exists files as
select
    *,
    state = 'committed' and version = max(version) over (partition by source, path) as is_current
from file_versions;
"""


@contextmanager
def connect_ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that commits when its block ends well, and is always closed.

    Raises:
        HomeError: the file is damaged.
        StorageError: it cannot be opened, or not written.
    """
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode = wal")
            with connection:
                yield connection
    except sqlite3.DatabaseError as error:
        # The first byte is the kind; the rest say more, such as "the folder is read-only".
        if error.sqlite_errorcode & 0xFF in _REFUSED:
            reason = os.strerror(errno.EACCES)
            raise storage_error(f"{path.name!r} of the home", path, reason) from None
        if isinstance(error, sqlite3.OperationalError | sqlite3.IntegrityError):
            raise
        message = (
            f"{path.name!r} of this home is damaged. Run `sequen-dagster doctor --rebuild`: it is "
            "made again from the commits, and nothing is lost."
        )
        raise HomeError(message) from error


def prepare_ledger(path: Path) -> None:
    """Make the tables, and set a ledger of an older release aside: its truth is in the commits.

    Raises:
        HomeError: the file is damaged, or was made by a newer release.
    """
    with connect_ledger(path) as connection:
        version = connection.execute("pragma user_version").fetchone()[0]
        has_tables = connection.execute("select count(*) from sqlite_schema").fetchone()[0] > 0
    if version > LEDGER_VERSION:
        message = (
            f"{path.name!r} of this home was written by a newer release (version {version}, this "
            f"one knows {LEDGER_VERSION}). Install that release again."
        )
        raise HomeError(message)
    if version < LEDGER_VERSION:
        if has_tables:
            set_ledger_aside(path, f"version-{version}")
        with connect_ledger(path) as connection:
            connection.executescript(_SCHEMA)
            connection.execute(f"pragma user_version = {LEDGER_VERSION}")


def set_ledger_aside(path: Path, why: str) -> Path:
    """Rename a ledger, so that the next one to open it makes a new one; return its new name."""
    number = 1
    while (target := path.with_name(f"{path.name}.{why}.{number}")).exists():
        number += 1
    # The log first: left behind alone, it must not be taken for that of the next ledger.
    for part in ("-wal", "-shm", ""):
        beside = path.with_name(path.name + part)
        if beside.exists():
            beside.rename(target.with_name(target.name + part))
    return target
