"""Exports: the files below a folder of this machine, links followed where settings say so.

In: a folder and the patterns of its source. Out: every file that is read, and counts of others.
"""

import heapq
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sequen_dagster.errors import ExportsError
from sequen_dagster.exports.passed_over import PassedOverCounts, Reason
from sequen_dagster.exports.patterns import Exclusion, first_match
from sequen_dagster.runtime.text import quoted
from sequen_dagster.settings import Source

# Entries counted below excluded folders: one of them may be a snapshot of everything.
_MOST_COUNTED: Final = 10_000

_logger = logging.getLogger(__name__)

# Relative path as the file system has it, the path at which it is opened, and its status.
FoundFile = tuple[str, str, os.stat_result]


class FileChoice:
    """Which files of a source are read; counts the others.

    Args:
        source: its patterns.
        marker: name of the files that announce others; empty where there are none.
    """

    def __init__(self, source: Source, marker: str) -> None:
        self.passed_over = PassedOverCounts()
        self.exclusion = Exclusion(source.exclude)
        self._marker = marker
        self._takes_all = "*" in source.include
        self._included = first_match(source.include)

    def takes(self, name: str, path: str, pattern: str) -> bool:
        """Whether a file is read.

        Args:
            name: its name.
            path: its path under the location, as the file system or store has it.
            pattern: the pattern of `exclude` that passes it over, if one does.
        """
        if self._marker and name == self._marker:
            return True
        if pattern:
            self.passed_over.add("excluded", path_text(path), pattern=pattern)
            return False
        if self._takes_all or self._included(name) or self._included(path):
            return True
        self.passed_over.add("not_included", path_text(path))
        return False


def path_text(relative: str) -> str:
    r"""Write a relative path of this machine as text that can be stored, no two as the same.

    A name is text as a rule and stays as it is. One that is not UTF-8 has its bytes spelled out,
    its backslashes doubled, and `./` in front, which no path that is text begins with.

    Example:
        >>> print(path_text("a\\xff.jsonl"), path_text("a\udcff.jsonl"))
        a\xff.jsonl ./a\xff.jsonl
    """
    if relative.isascii():
        return relative
    encoded = os.fsencode(relative)
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        return "./" + encoded.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


class FolderWalk:
    """Finds the files below a folder.

    Args:
        source: the source; says whether links are followed.
        root: its folder.
        choice: which files are read.
    """

    def __init__(self, source: Source, root: Path, choice: FileChoice) -> None:
        self._source = source
        self._root = str(root)
        self._choice = choice
        self._links: list[tuple[str, str]] = []
        self._budget = _MOST_COUNTED
        # Only where links are followed: real paths of the files read and the folders entered.
        self._read: set[str] = set()
        self._entered: set[str] = set()
        # Files and folders that links lead to, still to be read; the smallest path first.
        self._waiting: list[tuple[str, str, bool]] = []

    def files(self) -> Iterator[FoundFile]:
        """Every file that is read, each real file once.

        Raises:
            ExportsError: the folder itself may not be read.
        """
        yield from self._files_without_links()
        if self._source.follow_links:
            yield from self._files_through_links()
        else:
            for relative, _ in self._links:
                self._pass_over("link", relative)

    def _files_without_links(self) -> Iterator[FoundFile]:
        follows = self._source.follow_links
        real_root = os.path.realpath(self._root)
        match_pattern, takes = self._choice.exclusion.of_entry, self._choice.takes
        # No recursion: folders may lie deeper than Python's calls may.
        folders = [(self._root, "")]
        while folders:
            folder, prefix = folders.pop()
            if follows:
                self._entered.add(os.path.join(real_root, prefix).rstrip("/"))  # noqa: PTH118  # no Path a file
            for entry in self._scan_folder(folder, prefix):
                name = entry.name
                relative = prefix + name
                pattern = match_pattern(name, relative)
                if entry.is_dir(follow_symlinks=False):
                    if pattern:
                        self._count_below(entry.path, relative, pattern)
                    else:
                        folders.append((entry.path, f"{relative}/"))
                elif entry.is_file(follow_symlinks=False):
                    if takes(name, relative, pattern):
                        if found := self._stat_file(relative, entry.path, entry):
                            yield found
                        if follows:
                            self._read.add(f"{real_root}/{relative}")
                else:
                    self._note_special(entry, relative, pattern)

    def _files_through_links(self) -> Iterator[FoundFile]:
        """Files that links lead to, each at its smallest path; each folder once, so no loop."""
        for relative, location in self._links:
            self._follow_link(relative, location)
        while self._waiting:
            path, real, is_folder = heapq.heappop(self._waiting)
            if is_folder:
                self._enter_folder(path, real)
            elif self._takes(path):
                if real in self._read:
                    self._pass_over("repeated", path)
                else:
                    self._read.add(real)
                    if found := self._stat_file(path, real, None):
                        yield found

    def _takes(self, path: str) -> bool:
        # The folders above were matched when they were found.
        name = path.rpartition("/")[2]
        return self._choice.takes(name, path, self._choice.exclusion.of_entry(name, path))

    def _follow_link(self, relative: str, location: str) -> None:
        """Resolve a link and note the file or folder that it leads to."""
        try:
            real = os.path.realpath(location, strict=True)
            mode = os.stat(real, follow_symlinks=False).st_mode  # noqa: PTH116  # no Path a link
        except PermissionError:
            self._pass_over("unreadable", relative)
        except OSError:
            # To nothing, or in a circle.
            self._pass_over("broken_link", relative)
        else:
            if stat.S_ISDIR(mode):
                heapq.heappush(self._waiting, (f"{relative}/", real, True))
            elif stat.S_ISREG(mode):
                heapq.heappush(self._waiting, (relative, real, False))
            else:
                self._pass_over("no_file", relative)

    def _enter_folder(self, prefix: str, real: str) -> None:
        if real in self._entered:
            self._pass_over("repeated", prefix)
            return
        self._entered.add(real)
        base = "" if real == "/" else real
        for entry in self._scan_folder(real, prefix):
            relative = prefix + entry.name
            below = f"{base}/{entry.name}"
            pattern = self._choice.exclusion.of_entry(entry.name, relative)
            if entry.is_dir(follow_symlinks=False):
                if pattern:
                    self._count_below(below, relative, pattern)
                else:
                    heapq.heappush(self._waiting, (f"{relative}/", below, True))
            elif entry.is_file(follow_symlinks=False):
                heapq.heappush(self._waiting, (relative, below, False))
            elif entry.is_symlink() and not pattern:
                self._follow_link(relative, below)
            else:
                self._note_special(entry, relative, pattern)

    def _note_special(self, entry: os.DirEntry[str], relative: str, pattern: str) -> None:
        if pattern:
            self._choice.passed_over.add("excluded", path_text(relative), pattern=pattern)
        elif entry.is_symlink():
            self._links.append((relative, entry.path))
        else:
            self._pass_over("no_file", relative)

    def _stat_file(
        self, relative: str, location: str, entry: os.DirEntry[str] | None
    ) -> FoundFile | None:
        """A file with its status; None where it may not be read, or has vanished."""
        try:
            status = (
                entry.stat(follow_symlinks=False)
                if entry is not None
                else os.stat(location, follow_symlinks=False)  # noqa: PTH116  # no Path a file
            )
        except PermissionError:
            self._pass_over("unreadable", relative)
        except OSError:
            # The file vanished while the folder was listed.
            return None
        else:
            return relative, location, status
        return None

    def _scan_folder(self, folder: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            if not prefix:
                message = (
                    f"Location {folder!r} of source {self._source.name!r} cannot be listed: "
                    f"{error.strerror}. Give this user the right to read it."
                )
                raise ExportsError(message) from error
            # One closed folder must not hold back the others.
            _logger.warning(
                "folder %s of an exports location may not be read; passed over", quoted(prefix)
            )
            self._pass_over("unreadable", prefix)
            return []

    def _count_below(self, folder: str, relative: str, pattern: str) -> None:
        files = 0
        folders = [folder]
        while folders and self._budget > 0:
            with suppress(OSError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    self._budget -= 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        files += 1
                    if self._budget <= 0:
                        break
        is_at_least = self._budget <= 0
        if files or is_at_least:
            self._choice.passed_over.add(
                "excluded",
                path_text(f"{relative}/"),
                pattern=pattern,
                files=files,
                is_at_least=is_at_least,
            )

    def _pass_over(self, reason: Reason, relative: str) -> None:
        self._choice.passed_over.add(reason, path_text(relative))
