"""Exports: the patterns of a source that say which paths are read and which are passed over.

In: the patterns, and names or paths. Out: the first pattern that matches, so that it can be named.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Final

_SPECIAL: Final = re.compile(r"[*?[]")


class Exclusion:
    """Says which pattern passes a path over.

    A pattern is matched against every name of a path, folders too. A pattern that holds a `/` is
    matched against the path from its beginning, and against those of its folders.

    Args:
        patterns: the `exclude` of a source.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._of_name = first_match(one for one in patterns if "/" not in one)
        self._of_path = first_match(one for one in patterns if "/" in one)
        self._of_folders: dict[str, str] = {"": ""}

    def of_entry(self, name: str, path: str) -> str:
        """The pattern that matches a name or the path it ends; empty where none does.

        For a walk that matches the folders above by itself.
        """
        return self._of_name(name) or self._of_path(path)

    def of_path(self, path: str) -> str:
        """The pattern that matches a path or a folder on it; empty where none does."""
        folder, _, name = path.rpartition("/")
        return self._of_folder(folder) or self.of_entry(name, path)

    def _of_folder(self, folder: str) -> str:
        pattern = self._of_folders.get(folder)
        if pattern is None:
            names = folder.split("/")
            above = ("/".join(names[:depth]) for depth in range(1, len(names) + 1))
            found = (self.of_entry(name, path) for name, path in zip(names, above, strict=True))
            pattern = self._of_folders[folder] = next(filter(None, found), "")
        return pattern


def first_match(patterns: Iterable[str]) -> Callable[[str], str]:
    """Make a function that finds the first pattern that matches a text; "" where none does.

    Patterns are those of `fnmatch`, and the case of letters counts on every machine.
    """
    given = tuple(patterns)
    if not given:
        return lambda _: ""
    exact = {one for one in given if not _SPECIAL.search(one)}
    prefixes = tuple(one[:-1] for one in given if _is_plain(one[:-1]) and one.endswith("*"))
    suffixes = tuple(one[1:] for one in given if _is_plain(one[1:]) and one.startswith("*"))
    plain = {*exact, *(f"{one}*" for one in prefixes), *(f"*{one}" for one in suffixes)}
    each = [(one, re.compile(translate(one)).match) for one in given]
    others = [(_longest_piece(one), matches) for one, matches in each if one not in plain]

    def first(text: str) -> str:
        # Called for every name of every file, and most patterns need no regular expression.
        if not (text in exact or text.startswith(prefixes) or text.endswith(suffixes)):
            for piece, matches in others:
                if piece in text and matches(text):
                    break
            else:
                return ""
        return next(pattern for pattern, matches in each if matches(text))

    return first


def _longest_piece(pattern: str) -> str:
    """The longest text that everything holds which matches a pattern.

    Example:
        >>> _longest_piece("*manifest*.json"), _longest_piece("part-[0-9]*")
        ('manifest', '')
    """
    return "" if "[" in pattern else max(re.split("[*?]", pattern), key=len)


def _is_plain(text: str) -> bool:
    return bool(text) and not _SPECIAL.search(text)
