"""Lake: the list of erased people, kept beside the commits as salted hashes.

In: whom to erase. Out: `erasures.json`, which every judgement and every rewriting goes by.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sequen_dagster.contract.erasures import ErasableField, Erasures
from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import HomeError
from sequen_dagster.home.durable import replace_text
from sequen_dagster.home.owner_only import owner_only_files

_SCHEMA_VERSION: Final = 1
_NAME: Final = "erasures.json"
_SALT_BYTES: Final = 32


@dataclass(frozen=True)
class Note:
    """What one act of erasing has noted.

    Attributes:
        noted_at: when, UTC without zone, as ISO text.
        digests: (field, digest), sorted.
        is_finished: whether everything derived has been rewritten since.
    """

    noted_at: str
    digests: tuple[tuple[str, str], ...]
    is_finished: bool = False


@dataclass(frozen=True)
class Noted:
    """The list with its history.

    Attributes:
        erasures: who is erased.
        notes: the acts, in order.
    """

    erasures: Erasures
    notes: tuple[Note, ...] = ()

    @property
    def unfinished(self) -> int:
        """Acts of erasing that broke off; the same command once more finishes them."""
        return sum(not note.is_finished for note in self.notes)


def read_erasures(lake: Path) -> Erasures:
    """Who is erased; nobody where there is no list.

    Raises:
        HomeError: the list is damaged. Going on without it would bring people back.
    """
    return read_noted(lake).erasures


def read_noted(lake: Path) -> Noted:
    """The list with its history; a new one, with a salt of its own, where there is none.

    Raises:
        HomeError: the list is damaged.
    """
    path = lake / _NAME
    try:
        facts = path.stat()
    except FileNotFoundError:
        return Noted(Erasures(secrets.token_bytes(_SALT_BYTES)))
    # Every file that is judged asks, and a list may be long.
    return _read(path, facts.st_mtime_ns, facts.st_ino)


def note_erasures(lake: Path, people: Iterable[tuple[ErasableField, str]]) -> Erasures:
    """Put people on the list, for good; hold `commit.lock` while you do.

    Whoever is on it already is not put on it again.

    Args:
        lake: the lake's directory.
        people: (field, value) of each.

    Returns:
        The list as it is now.

    Raises:
        HomeError: the list is damaged.
    """
    noted = read_noted(lake)
    after = noted.erasures.adding(people)
    more = tuple(sorted(after.digests - noted.erasures.digests))
    if more:
        _write(lake, after.salt, (*noted.notes, Note(utc_now().isoformat(), more)))
    return after


def finish_erasures(lake: Path) -> None:
    """Note that all who are on the list are gone from everything; hold `commit.lock`."""
    noted = read_noted(lake)
    if noted.unfinished:
        notes = tuple(Note(note.noted_at, note.digests, True) for note in noted.notes)
        _write(lake, noted.erasures.salt, notes)


@lru_cache(maxsize=2)
def _read(path: Path, _modified_ns: int, _inode: int) -> Noted:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        notes = tuple(_note(one) for one in content["notes"])
        salt = bytes.fromhex(content["salt"])
    except (ValueError, KeyError, TypeError):
        message = (
            f"The list of erased people {str(path)!r} is damaged. Put it back from a backup; "
            "without it, erased people would come back."
        )
        raise HomeError(message) from None
    return Noted(Erasures(salt, frozenset(pair for note in notes for pair in note.digests)), notes)


def _note(value: dict[str, Any]) -> Note:  # Any: JSON
    digests = tuple((str(name), str(digest)) for name, digest in value["digests"])
    return Note(str(value["noted_at"]), digests, bool(value["is_finished"]))


def _write(lake: Path, salt: bytes, notes: tuple[Note, ...]) -> None:
    content = {
        "schema_version": _SCHEMA_VERSION,
        "salt": salt.hex(),
        "notes": [vars(note) for note in notes],
    }
    text = json.dumps(content, separators=(",", ":"))
    # With the salt, ids can be tried out: only the owner may read it.
    with owner_only_files():
        replace_text(lake / _NAME, text, what="the list of erased people")
