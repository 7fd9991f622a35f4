"""Finding and opening exports."""

import logging
import os
from datetime import datetime
from pathlib import Path

import pytest

from builders import RECEIPT, export
from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.exports.files import list_files, open_file
from sequen_dagster.settings import Source

STRANGE = (
    "a[1].jsonl",
    "*.jsonl",
    "x') ; drop table t; --.jsonl",
    "{{ env_var('X') }}.jsonl",
    "$(id).jsonl",
    "-rf.jsonl",
    "line\nbreak.jsonl",
    "\x1b[31mred.jsonl",
    "\u202eltr.jsonl",
    "e\u0301.jsonl",
    "\u00e9.jsonl",
    "n" * 250 + ".json",
)


def paths(folder: Path, **patterns: tuple[str, ...]) -> list[str]:
    return [file.path for file in list_files(Source(exports=folder, **patterns))]


@pytest.mark.bad_input(27, 28, 29, 30, 31, 32, 33)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_name_is_one_file_that_opens(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}\n")
    (tmp_path / "a1.jsonl").write_bytes(b"other")

    (file,) = [one for one in list_files(Source(exports=tmp_path)) if one.path != "a1.jsonl"]
    with open_file(file) as handle:
        assert (file.path, handle.read()) == (name, b"{}\n")


def test_name_that_is_no_text_becomes_a_path_that_is(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.jsonl")).write_bytes(b"{}")

    (file,) = list_files(Source(exports=tmp_path))
    with open_file(file) as handle:
        assert (file.path, handle.read()) == ("a\\xff.jsonl", b"{}")


def test_files_are_listed_in_path_order_with_size_and_time(tmp_path: Path) -> None:
    export(tmp_path, "12345", "b.jsonl")
    (tmp_path / "a").mkdir()
    export(tmp_path / "a", "", "z.jsonl")

    first, second = list_files(Source(exports=tmp_path))
    assert (first.path, second.path) == ("a/z.jsonl", "b.jsonl")
    assert (second.source, second.size_bytes, second.modified_at) == ("default", 5, RECEIPT)


def test_modified_time_keeps_its_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    os.utime(path, ns=(0, 1_752_484_522_401_999_999))

    (file,) = list_files(Source(exports=tmp_path))
    assert file.modified_at == datetime(2025, 7, 14, 9, 15, 22, 401999)


def test_markers_and_unfinished_uploads_are_passed_over(tmp_path: Path) -> None:
    for folder in ("_temporary/0", "day=1/.staging"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "part.jsonl").touch()
    for name in ("_SUCCESS", ".hidden", "a.tmp", "b.part", "c.jsonl.crc", "README.md", "d.jsonl"):
        (tmp_path / name).touch()

    assert paths(tmp_path) == ["d.jsonl"]


def test_patterns_match_name_or_path(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for name in ("web/a.jsonl", "web/a.csv", "b.jsonl"):
        (tmp_path / name).touch()

    assert paths(tmp_path, include=("*.csv",)) == ["web/a.csv"]
    assert paths(tmp_path, include=("web/*",)) == ["web/a.csv", "web/a.jsonl"]
    assert paths(tmp_path, exclude=("web",)) == ["b.jsonl"]


@pytest.mark.fault(11)
@pytest.mark.bad_input(34, 35)
def test_links_pipes_and_folders_are_no_exports(tmp_path: Path) -> None:
    (tmp_path / "passwd.jsonl").symlink_to("/etc/passwd")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)

    assert paths(tmp_path) == []


@pytest.mark.fault(11)
@pytest.mark.bad_input(34, 35)
def test_what_became_a_link_or_a_pipe_is_not_opened(tmp_path: Path) -> None:
    file = export(tmp_path, "{}")
    location = Path(file.location)
    for replace in (lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, Path.mkdir):
        if location.is_dir():
            location.rmdir()
        else:
            location.unlink()
        replace(location)
        with pytest.raises(VanishedFileError, match=r"a\.jsonl"):
            open_file(file)


def test_vanished_file_says_so(tmp_path: Path) -> None:
    file = export(tmp_path, "{}")
    Path(file.location).unlink()

    with pytest.raises(VanishedFileError, match="vanished"):
        open_file(file)


def test_missing_exports_place_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ExportsError, match="Create it"):
        list_files(Source(exports=tmp_path / "nowhere"))


def test_single_file_is_a_place_of_its_own(tmp_path: Path) -> None:
    file = export(tmp_path, "{}")

    assert paths(Path(file.location)) == ["a.jsonl"]


def test_closed_folder_does_not_hold_back_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "closed").mkdir()
    export(tmp_path, "{}")
    scandir = os.scandir

    def guarded(folder: Path) -> object:
        if Path(folder).name == "closed":
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    with caplog.at_level(logging.WARNING):
        assert paths(tmp_path) == ["a.jsonl"]
    assert "closed/" in caplog.text


@pytest.mark.bad_input(36)
def test_file_that_may_not_be_read_raises_permission_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    file = export(tmp_path, "{}")
    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(PermissionError):
        open_file(file)
