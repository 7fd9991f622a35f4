"""Home: its locks, which the operating system takes back when a holder dies.

In: a home. Out: blocks in which no other process commits, writes the warehouse, or verifies it.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import filelock

from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.home.layout import Home


@dataclass(frozen=True)
class HomeLock:
    """A right that one process at a time has in a home.

    Attributes:
        name: of its file.
        holder: what a process is doing that has it, in words.
    """

    name: str
    holder: str

    def path(self, home: Home) -> Path:
        """The file that the operating system locks."""
        return home.root / f"{self.name}.lock"

    def facts(self, home: Home) -> Path:
        """The file in which the holder says who it is."""
        return home.root / f"{self.name}.json"


VERIFY: Final = HomeLock("verify", "a verify")
WRITER: Final = HomeLock("writer", "a build, a publication or an erasure")
COMMIT: Final = HomeLock("commit", "a run that commits")
# In the order in which they are taken, so that no two processes wait for each other.
LOCKS: Final = (VERIFY, WRITER, COMMIT)


@contextmanager
def hold_lock(home: Home, lock: HomeLock, *, timeout_seconds: float) -> Iterator[None]:
    """Hold a right of a home; take several in the order of `LOCKS`.

    Args:
        home: the home; made if it is not there.
        lock: the right.
        timeout_seconds: how long to wait for the process that has it.

    Raises:
        LockTimeoutError: another process had it for longer; the message says which.
    """
    home.make()
    held = filelock.FileLock(lock.path(home))
    facts = lock.facts(home)
    try:
        held.acquire(timeout=timeout_seconds)
    except filelock.Timeout:
        message = (
            f"In {str(home.root)!r} {lock.holder} is at work: {_describe_holder(facts)}. Wait for "
            "it, stop it, or raise `lock_timeout_seconds`."
        )
        raise LockTimeoutError(message) from None
    try:
        # For the one who waits; where the disk is full, the work itself says so.
        with suppress(OSError):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
            facts.write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        facts.unlink(missing_ok=True)
        held.release()


@contextmanager
def writer_lock(home: Home, *, timeout_seconds: float) -> Iterator[None]:
    """Hold the right to write the warehouse, and what is published from it.

    Raises:
        LockTimeoutError: another process had it for longer.
    """
    with hold_lock(home, WRITER, timeout_seconds=timeout_seconds):
        yield


@contextmanager
def commit_lock(home: Home, *, timeout_seconds: float) -> Iterator[None]:
    """Hold the right to commit to the lake.

    Raises:
        LockTimeoutError: another process had it for longer.
    """
    with hold_lock(home, COMMIT, timeout_seconds=timeout_seconds):
        yield


@contextmanager
def quiet_home(home: Home, *, timeout_seconds: float) -> Iterator[None]:
    """Hold every right of a home: no other process commits, loads, writes or verifies.

    Files may be validated meanwhile; what is validated counts for nothing before it is committed.

    Args:
        home: the home.
        timeout_seconds: how long to wait for each of the processes at work.

    Raises:
        LockTimeoutError: a process was at work for longer.
    """
    with ExitStack() as held:
        for lock in LOCKS:
            held.enter_context(hold_lock(home, lock, timeout_seconds=timeout_seconds))
        yield


def _describe_holder(facts: Path) -> str:
    try:
        holder = json.loads(facts.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (FileNotFoundError, ValueError):
        # Not written yet, or being removed at this very moment.
        return "it has not said who it is"
