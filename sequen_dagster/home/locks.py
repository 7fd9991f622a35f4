"""Lake: the locks of a home, which the operating system takes back when a holder dies."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import filelock

from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.settings import SequenSettings

_COMMIT: Final = {"commit.lock": "another run that commits"}
# In the order in which they are taken, so that no two wait for each other.
_ALL: Final = {
    "verify.lock": "a verify",
    "writer.lock": "a build or a publication",
    **_COMMIT,
}


@contextmanager
def commit_lock(settings: SequenSettings) -> Iterator[None]:
    """Hold the right to commit to the lake.

    Raises:
        LockTimeoutError: another run was committing for too long.
    """
    with _held(settings, _COMMIT, settings.lock_timeout_seconds):
        yield


@contextmanager
def quiet_home(settings: SequenSettings, *, timeout_seconds: float) -> Iterator[None]:
    """Hold a home still: nobody commits to it, loads from it, writes or verifies its tables.

    Files may be judged meanwhile; what is judged counts for nothing before it is committed.

    Args:
        settings: the home.
        timeout_seconds: how long to wait for each of those at work.

    Raises:
        LockTimeoutError: somebody was at work for too long.
    """
    with _held(settings, _ALL, timeout_seconds):
        yield


@contextmanager
def _held(
    settings: SequenSettings, locks: dict[str, str], timeout_seconds: float
) -> Iterator[None]:
    home = settings.make_home()
    with ExitStack() as held:
        for name, holder in locks.items():
            lock = filelock.FileLock(home / name)
            try:
                lock.acquire(timeout=timeout_seconds)
            except filelock.Timeout:
                message = f"In {str(home)!r} {holder} is at work. Wait for it, then try again."
                raise LockTimeoutError(message) from None
            held.callback(lock.release)
        yield
