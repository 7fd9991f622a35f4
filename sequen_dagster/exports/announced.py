"""Exports: files that their sender announces as whole, by a `_SUCCESS` file or a manifest.

In: the listing of a source. Out: the files that may be taken in at once. A source whose files only
have a quiet period announces nothing.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, Listing, open_file
from sequen_dagster.runtime.text import quoted
from sequen_dagster.settings import Source

_MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024


def find_announced_files(source: Source, listing: Listing) -> tuple[set[ExportFile], list[str]]:
    """Find the files that their sender announces as whole.

    Args:
        source: its `complete_when` says how files are announced.
        listing: the files at its location.

    Returns:
        The files, and a sentence for each manifest that cannot be read.

    Example:
        A manifest stands beside its files and names each with its size in bytes:
        `{"files": [{"path": "part-0.jsonl", "size_bytes": 1234}]}`
    """
    if source.complete_when == "stable":
        return set(), []
    if source.complete_when == "success_marker":
        folders = {_folder_of(marker) for marker in listing.markers}
        return {file for file in listing.files if not folders.isdisjoint(_folders_of(file))}, []
    named: set[tuple[str, int]] = set()
    problems = []
    for marker in listing.markers:
        try:
            named.update(_read_manifest(marker))
        except (OSError, VanishedFileError, ValueError, TypeError, KeyError) as error:
            problems.append(
                f"manifest {quoted(marker.path)} cannot be read ({type(error).__name__})"
            )
    return {file for file in listing.files if (file.path, file.size_bytes) in named}, problems


def _folder_of(file: ExportFile) -> str:
    return file.path.rpartition("/")[0]


def _folders_of(file: ExportFile) -> Iterator[str]:
    """The folders above a file: Spark marks the topmost folder that it writes."""
    folder = _folder_of(file)
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _read_manifest(marker: ExportFile) -> list[tuple[str, int]]:
    with open_file(marker) as handle:
        text = handle.read(_MAX_MANIFEST_BYTES + 1)
    if len(text) > _MAX_MANIFEST_BYTES:
        message = "larger than a manifest may be"
        raise ValueError(message)
    content: dict[str, Any] = json.loads(text)  # Any: JSON of the sender
    folder = _folder_of(marker)
    prefix = f"{folder}/" if folder else ""
    return [(f"{prefix}{one['path']}", int(one["size_bytes"])) for one in content["files"]]
