"""Settings: whether a path can hold a home or exports, before anything is written.

What the system allows works, but for a few characters of a home that the database engine reads as
something else.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from sequen_dagster.errors import SettingsError

# DuckDB looks for files by these, even where a path is a bound parameter; it takes a backslash for
# a slash, and cuts the name of its log at a question mark.
_UNUSABLE_IN_A_HOME: Final = "\\?*[]"


def find_place(base: Path, given: Path, name: str) -> Path:
    """The absolute path of a place, links resolved.

    Args:
        base: directory that a relative path counts from.
        given: the path as a user gave it.
        name: of the setting, for the message.

    Raises:
        SettingsError: the system takes it for no path.
    """
    try:
        place = (base / given).resolve()
        # Not there yet, or out of reach: what uses it says so.
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            place.stat()
        return place
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition(":")[0]
        message = f"Bad settings. {name}: {str(given)!r} is not a path here: {reason}."
        raise SettingsError(message) from None


def check_home(home: Path) -> None:
    """Refuse a home that the database engine would look for elsewhere.

    Raises:
        SettingsError: the path holds such a character, or is not UTF-8.
    """
    text = str(home)
    found = [character for character in _UNUSABLE_IN_A_HOME if character in text]
    if found:
        message = (
            f"Bad settings. home: {text!r} holds {' '.join(found)}, which the database engine "
            f"reads as a pattern or a separator. Choose a path without {_UNUSABLE_IN_A_HOME}."
        )
        raise SettingsError(message)
    try:
        # The engine takes names as UTF-8, whatever the locale of this process.
        is_same = os.fsencode(text) == text.encode()
    except UnicodeEncodeError:
        is_same = False
    if not is_same:
        message = (
            f"Bad settings. home: {text!r} is not UTF-8 here, which the database engine needs. "
            "Choose another path, or set PYTHONUTF8=1 if the name is UTF-8 and the locale is not."
        )
        raise SettingsError(message)
