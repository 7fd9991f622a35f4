"""Finding and opening exports."""

import logging
import os
from datetime import datetime
from pathlib import Path

import pytest

from sequen_dagster.errors import ExportsError, VanishedFileError
from sequen_dagster.exports.files import Listing, list_files, list_location, open_file
from sequen_dagster.settings import Source
from support.builders import RECEIVED_AT, export

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


def passed_over(listing: Listing) -> dict[str, tuple[int, str]]:
    """Number and first path of what was passed over, by pattern or reason."""
    return {one.label: (one.files, one.first) for one in listing.passed_over}


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def read_through_links(root: Path) -> tuple[dict[str, str], dict[str, tuple[int, str]]]:
    """The content of every file by its path, and what was passed over."""
    listing = list_location(Source(exports=root, follow_links=True))
    contents = {}
    for file in listing.files:
        with open_file(file) as handle:
            contents[file.path] = handle.read().decode()
    return contents, passed_over(listing)


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


def test_name_that_is_not_text_becomes_a_unique_path_that_is_text(tmp_path: Path) -> None:
    names = (
        b"a\xff.jsonl", b"a\\xff.jsonl", b"a\\\\xff.jsonl", b"b\\xff\xff", b"b\xff\\xff",
        b"\xed\xa0\x80", b"\\xed\xa0\x80", "\u00e9".encode(), "e\u0301".encode(), b"100%", b"a\\b",
    )  # fmt: skip
    for number, name in enumerate(names):
        (tmp_path / os.fsdecode(name)).write_bytes(b"%d" % number)

    files = list_files(Source(exports=tmp_path))
    contents = {}
    for file in files:
        with open_file(file) as handle:
            contents[file.path] = names[int(handle.read())]

    assert contents == {
        "./a\\xff.jsonl": b"a\xff.jsonl",
        "a\\xff.jsonl": b"a\\xff.jsonl",
        "a\\\\xff.jsonl": b"a\\\\xff.jsonl",
        "./b\\\\xff\\xff": b"b\\xff\xff",
        "./b\\xff\\\\xff": b"b\xff\\xff",
        "./\\xed\\xa0\\x80": b"\xed\xa0\x80",
        "./\\\\xed\\xa0\\x80": b"\\xed\xa0\x80",
        "\u00e9": "\u00e9".encode(),
        "e\u0301": "e\u0301".encode(),
        "100%": b"100%",
        "a\\b": b"a\\b",
    }


def test_files_are_listed_in_path_order_with_size_and_time(tmp_path: Path) -> None:
    export(tmp_path, "12345", "b.jsonl")
    (tmp_path / "a").mkdir()
    export(tmp_path / "a", "", "z.jsonl")

    first, second = list_files(Source(exports=tmp_path))
    assert (first.path, second.path) == ("a/z.jsonl", "b.jsonl")
    assert (second.source, second.size_bytes, second.modified_at) == ("default", 5, RECEIVED_AT)


def test_modified_time_keeps_its_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    os.utime(path, ns=(0, 1_752_484_522_401_999_999))

    (file,) = list_files(Source(exports=tmp_path))
    assert file.modified_at == datetime(2025, 7, 14, 9, 15, 22, 401999)


@pytest.mark.parametrize(
    ("pattern", "excluded", "read"),
    [
        (".*", (".a.jsonl", ".in/b", "x/.in/y/c"), ("a.b",)),
        (
            "_SUCCESS",
            ("_SUCCESS", "day=1/_SUCCESS", "x/_SUCCESS/a"),
            ("_SUCCESS.jsonl", "_success"),
        ),
        ("_committed_*", ("_committed_123", "_committed_x/a"), ("_committed", "a_committed_1")),
        ("_started_*", ("x/_started_1",), ("_started",)),
        ("_temporary", ("_temporary/0/a.jsonl", "x/_temporary/b"), ("_temporary_/a",)),
        ("_delta_log", ("t/_delta_log/0.json",), ("_delta_logs/0.json",)),
        (
            "*manifest*.json",
            ("manifest.json", "x/a-manifest-1.json", "_manifest.json"),
            ("manifest.jsonl", "manifests/a.json", "Manifest.json"),
        ),
        ("*.tmp", ("a.tmp", "x.tmp/a.jsonl"), ("tmp", "a.tmp.jsonl")),
        ("*.part", ("a.part",), ("part-0", "a.part1")),
        ("*.crc", (".a.crc", "a.crc"), ("a.CRC",)),
        ("*.md", ("x.md",), ("x.mdx",)),
        ("*.sha256", ("a.jsonl.sha256",), ("a.sha256.jsonl",)),
        ("README*", ("README", "README.txt", "README-old/a.jsonl"), ("readme.txt", "x.README")),
    ],
)
def test_what_holds_no_events_is_passed_over_and_counted_by_pattern(
    tmp_path: Path, pattern: str, excluded: tuple[str, ...], read: tuple[str, ...]
) -> None:
    make(tmp_path, *excluded, *read)

    listing = list_location(Source(exports=tmp_path))

    assert [file.path for file in listing.files] == sorted(read)
    # `.a.crc` falls under two of them; the first counts.
    counts = {one.label: one.files for one in listing.passed_over}
    hidden = {".*": 1} if ".a.crc" in excluded else {}
    assert counts == {pattern: len(excluded) - sum(hidden.values()), **hidden}


def test_names_with_an_underscore_are_exports_like_others(tmp_path: Path) -> None:
    names = ["_airbyte_raw.jsonl", "_landing/2025/a.jsonl", "_topic+0+0.json", "_"]
    make(tmp_path, *names)

    listing = list_location(Source(exports=tmp_path))

    assert ([file.path for file in listing.files], listing.passed_over) == (sorted(names), ())


def test_names_are_of_any_kind_and_case(tmp_path: Path) -> None:
    names = [
        "100%.jsonl", "2025-03-01T10:00:00Z.jsonl", "Thumbs.db", "UPPER.JSONL", "a b c.jsonl",
        "events#3.jsonl", "events.jsonl.1", "events.jsonl.gz.bak", "events.jsonl~", "q?x=1.jsonl",
        "~$events.jsonl",
    ]  # fmt: skip
    make(tmp_path, *names, "events.part", ".events.jsonl.swp")

    listing = list_location(Source(exports=tmp_path))

    assert [file.path for file in listing.files] == names
    assert passed_over(listing) == {".*": (1, ".events.jsonl.swp"), "*.part": (1, "events.part")}
    assert str(listing) == (
        "default: 11 files. Passed over 2 files: 1 by *.part ('events.part'), "
        "1 by .* ('.events.jsonl.swp')."
    )


def test_files_below_an_excluded_folder_are_counted_up_to_ten_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sequen_dagster.exports import folders

    monkeypatch.setattr(folders, "_MOST_COUNTED", 5)
    make(tmp_path, "a.jsonl", *(f"_temporary/{number}" for number in range(4)))
    assert str(list_location(Source(exports=tmp_path))) == (
        "default: 1 file. Passed over 4 files: 4 by _temporary ('_temporary/')."
    )

    make(tmp_path, "_temporary/4", "_temporary/5")

    assert str(list_location(Source(exports=tmp_path))) == (
        "default: 1 file. Passed over at least 5 files: at least 5 by _temporary ('_temporary/')."
    )


def test_folders_may_lie_deeper_than_pythons_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1_500):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.jsonl").touch()

    assert paths(tmp_path) == ["d/" * 1_500 + "a.jsonl"]

    # So deep that pytest could not clean up.
    Path("a.jsonl").unlink()
    for _ in range(1_500):
        os.chdir("..")
        Path("d").rmdir()


def test_patterns_match_name_or_path(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for name in ("web/a.jsonl", "web/a.csv", "b.jsonl"):
        (tmp_path / name).touch()

    assert paths(tmp_path, include=("*.csv",)) == ["web/a.csv"]
    assert paths(tmp_path, include=("web/*",)) == ["web/a.csv", "web/a.jsonl"]
    assert paths(tmp_path, exclude=("web",)) == ["b.jsonl"]
    assert paths(tmp_path, exclude=("web/*.csv", "/b")) == ["b.jsonl", "web/a.jsonl"]
    assert paths(tmp_path, exclude=("web/",)) == ["b.jsonl", "web/a.csv", "web/a.jsonl"]


def test_what_include_does_not_match_is_counted(tmp_path: Path) -> None:
    make(tmp_path, "web/a.csv", "b.csv", "c.csv.md", "d.jsonl")

    listing = list_location(Source(exports=tmp_path, include=("*.jsonl",)))

    assert [file.path for file in listing.files] == ["d.jsonl"]
    assert passed_over(listing) == {"not_included": (2, "b.csv"), "*.md": (1, "c.csv.md")}


def test_location_without_files_names_its_patterns_and_path(tmp_path: Path) -> None:
    make(tmp_path, "a.tmp")

    assert str(list_location(Source(exports=tmp_path, include=("*.csv", "*.json")))) == (
        f"default: no export file was found in {str(tmp_path)!r}. Looked for *.csv, *.json "
        "(`include`), but not for .*, _SUCCESS, _committed_*, _started_*, _temporary, _delta_log, "
        "*manifest*.json, *.tmp, *.part, *.crc, *.md, *.sha256, README* (`exclude`). "
        "Passed over 1 file: 1 by *.tmp ('a.tmp')."
    )


@pytest.mark.fault(11)
@pytest.mark.bad_input(34, 35)
def test_links_pipes_and_folders_are_not_exports(tmp_path: Path) -> None:
    (tmp_path / "passwd.jsonl").symlink_to("/etc/passwd")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".link").symlink_to(tmp_path)

    listing = list_location(Source(exports=tmp_path))

    assert listing.files == []
    assert passed_over(listing) == {
        "link": (2, "loop"),
        "no_file": (1, "pipe.jsonl"),
        ".*": (1, ".link"),
    }
    assert "2 symbolic links ('loop'; `follow_links` reads them)" in str(listing)


def test_followed_links_give_each_real_file_once(tmp_path: Path) -> None:
    root, outside = tmp_path / "in", tmp_path / "out"
    make(root, "z/real.jsonl", ".hidden/h.jsonl")
    make(outside, "o.jsonl", "d/p.jsonl", "d/q.tmp", "d/e/r.jsonl")
    for link, target in {
        "a.jsonl": root / "z" / "real.jsonl",  # the file itself is there: it goes before
        "b.jsonl": outside / "o.jsonl",
        "c.jsonl": outside / "o.jsonl",  # the same by a greater path
        "h.jsonl": root / ".hidden" / "h.jsonl",  # the file itself is passed over
        "day": outside / "d",
        "z/d": outside / "d",
        "chain.jsonl": root / "b.jsonl",
    }.items():
        (root / link).symlink_to(target)

    assert read_through_links(root) == (
        {
            "b.jsonl": "o.jsonl",
            "day/e/r.jsonl": "d/e/r.jsonl",
            "day/p.jsonl": "d/p.jsonl",
            "h.jsonl": ".hidden/h.jsonl",
            "z/real.jsonl": "z/real.jsonl",
        },
        {
            "repeated": (4, "a.jsonl"),
            "*.tmp": (1, "day/q.tmp"),
            ".*": (1, ".hidden/"),
        },
    )


def test_links_that_lead_in_circles_or_nowhere_are_counted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    make(root, "a/x.jsonl")
    make(tmp_path, "out/y.jsonl")
    for link, target in {
        "a/up": root,
        "a/self": root / "a",
        "gone": root / "nothing",
        "round": root / "round",
        "out": tmp_path / "out",
        "null.jsonl": Path("/dev/null"),
    }.items():
        (root / link).symlink_to(target)
    (tmp_path / "out" / "back").symlink_to(root)
    (tmp_path / "out" / "above").symlink_to(tmp_path / "out")

    assert read_through_links(root) == (
        {"a/x.jsonl": "a/x.jsonl", "out/y.jsonl": "out/y.jsonl"},
        {
            "broken_link": (2, "gone"),
            "repeated": (4, "a/self/"),
            "no_file": (1, "null.jsonl"),
        },
    )


def test_links_to_one_folder_by_many_ways_take_no_longer_than_its_files(tmp_path: Path) -> None:
    folders = [tmp_path / "out" / f"{number:02}" for number in range(12)]
    for folder in folders:
        make(folder, "a.jsonl")
        for other in folders:
            # A walk of all ways would take 12! of them.
            (folder / f"to-{other.name}").symlink_to(other)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "start").symlink_to(folders[0])

    contents, _ = read_through_links(tmp_path / "in")

    # Each at its smallest path, which may lead through others.
    ways = [f"to-{number:02}/" for number in range(1, 12)]
    assert list(contents) == sorted(f"start/{''.join(ways[:count])}a.jsonl" for count in range(12))


def test_smallest_path_to_a_folder_counts(tmp_path: Path) -> None:
    make(tmp_path, "out/z/f")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "a-x").symlink_to(tmp_path / "out" / "z")

    # By the whole path, in which "-" comes before "/".
    assert list(read_through_links(tmp_path / "in")[0]) == ["a-x/f"]


@pytest.mark.parametrize("follow_links", [False, True])
def test_location_may_be_a_link_and_lie_below_one(tmp_path: Path, follow_links: bool) -> None:
    make(tmp_path, "real/in/a.jsonl")
    (tmp_path / "way").symlink_to(tmp_path / "real")
    (tmp_path / "place").symlink_to(tmp_path / "way" / "in")
    (tmp_path / "one.jsonl").symlink_to(tmp_path / "way" / "in" / "a.jsonl")

    for place, path in (("place", "a.jsonl"), ("way/in", "a.jsonl"), ("one.jsonl", "one.jsonl")):
        source = Source(exports=tmp_path / place, follow_links=follow_links)
        (file,) = list_files(source)
        with open_file(file) as handle:
            assert (file.path, handle.read()) == (path, b"real/in/a.jsonl")


@pytest.mark.fault(11)
def test_target_of_a_link_that_became_a_link_is_not_opened(tmp_path: Path) -> None:
    make(tmp_path, "out/a.jsonl", "in/b.jsonl")
    (tmp_path / "in" / "a.jsonl").symlink_to(tmp_path / "out" / "a.jsonl")
    file, _ = list_files(Source(exports=tmp_path / "in", follow_links=True))
    (tmp_path / "out" / "a.jsonl").unlink()
    (tmp_path / "out" / "a.jsonl").symlink_to("/etc/passwd")

    with pytest.raises(VanishedFileError, match=r"a\.jsonl"):
        open_file(file)


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


def test_missing_location_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ExportsError, match="Create it"):
        list_files(Source(exports=tmp_path / "nowhere"))


def test_location_may_be_a_single_file(tmp_path: Path) -> None:
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
        listing = list_location(Source(exports=tmp_path))
    assert [file.path for file in listing.files] == ["a.jsonl"]
    assert passed_over(listing) == {"unreadable": (1, "closed/")}
    assert "closed/" in caplog.text
    with pytest.raises(ExportsError, match="Give this user the right to read it"):
        list_location(Source(exports=tmp_path / "closed"))


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
