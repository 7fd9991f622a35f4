import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequen_dagster.home.owner_only import owner_only_files


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


@pytest.mark.usefixtures("loose_umask")
def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    with owner_only_files():
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
    (tmp_path / "later").touch()

    modes = [mode(tmp_path / name) for name in ("folder", "file", "later")]
    assert modes == [0o700, 0o600, 0o644]


@pytest.mark.usefixtures("loose_umask")
def test_children_keep_to_it(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'file')!r}, 'w')"
    with owner_only_files():
        subprocess.run([sys.executable, "-c", code], check=True)

    assert mode(tmp_path / "file") == 0o600


@pytest.mark.usefixtures("loose_umask")
def test_umask_comes_back_after_a_failure() -> None:
    with pytest.raises(KeyError), owner_only_files(), owner_only_files():
        raise KeyError

    assert umask() == 0o022


@pytest.mark.usefixtures("loose_umask")
def test_last_of_two_threads_gives_the_umask_back() -> None:
    entered, may_leave = threading.Event(), threading.Event()

    def hold() -> None:
        with owner_only_files():
            entered.set()
            may_leave.wait()

    other = threading.Thread(target=hold)
    with owner_only_files():
        other.start()
        entered.wait()
    between = umask()
    may_leave.set()
    other.join()

    assert (between, umask()) == (0o077, 0o022)
