import json
from pathlib import Path

import pytest

from sequen_dagster.exports.announced import find_announced_files
from sequen_dagster.exports.files import list_location
from sequen_dagster.settings import Source


def write(root: Path, path: str, text: str = "{}") -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def announced(root: Path, complete_when: str) -> tuple[list[str], list[str]]:
    source = Source(exports=root, complete_when=complete_when)
    files, problems = find_announced_files(source, list_location(source))
    return sorted(file.path for file in files), problems


def test_files_that_settle_are_not_announced(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl")
    write(tmp_path, "_SUCCESS")

    assert announced(tmp_path, "stable") == ([], [])


@pytest.mark.fault(1)
def test_success_marker_announces_its_folder_and_all_below(tmp_path: Path) -> None:
    for path in ("top.jsonl", "done/a.jsonl", "done/day=1/b.jsonl", "open/c.jsonl"):
        write(tmp_path, path)
    write(tmp_path, "done/_SUCCESS", "")

    assert announced(tmp_path, "success_marker") == (["done/a.jsonl", "done/day=1/b.jsonl"], [])
    write(tmp_path, "_SUCCESS", "")
    assert len(announced(tmp_path, "success_marker")[0]) == 4


@pytest.mark.fault(1)
def test_manifest_announces_the_files_it_names_with_their_size(tmp_path: Path) -> None:
    for path in ("in/a.jsonl", "in/b.jsonl", "in/deep/c.jsonl", "d.jsonl"):
        write(tmp_path, path)
    named = [("a.jsonl", 2), ("b.jsonl", 3), ("deep/c.jsonl", 2), ("../d.jsonl", 2)]
    files = [{"path": path, "size_bytes": size} for path, size in named]
    write(tmp_path, "in/_manifest.json", json.dumps({"files": files}))

    assert announced(tmp_path, "manifest") == (["in/a.jsonl", "in/deep/c.jsonl"], [])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": [1]}', '{"files": [{"path": "a"}]}'])
def test_manifest_that_cannot_be_read_announces_nothing_and_says_so(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, "a.jsonl")
    write(tmp_path, "_manifest.json", text)

    files, (problem,) = announced(tmp_path, "manifest")

    assert files == []
    assert problem.startswith("manifest '_manifest.json' cannot be read")
