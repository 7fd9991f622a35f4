"""What is dear to make and only looked at: one worker makes it, once in a test run."""

from collections.abc import Callable
from pathlib import Path

import filelock
import pytest


def made_once(
    factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]
) -> Path:
    """The folder that `make` has filled; another worker that wants it waits until it is whole."""
    base = factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    whole = folder.with_suffix(".whole")
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
