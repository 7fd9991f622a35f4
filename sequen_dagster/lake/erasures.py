"""Lake: the list of erased people, kept beside the commits as salted hashes.

In: whom to erase. Out: `erasures.json`, which every validation and every rewriting goes by.
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
from sequen_dagster.home.durable import write_file
from sequen_dagster.home.layout import Lake
from sequen_dagster.home.owner_only import owner_only_files

_SCHEMA_VERSION: Final = 1
_SALT_BYTES: Final = 32


@dataclass(frozen=True)
class ErasureNote:
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
class ErasureList:
    """The list of erased people with its history.

    Attributes:
        erasures: who is erased.
        notes: the acts, in order.
    """

    erasures: Erasures
    notes: tuple[ErasureNote, ...] = ()

    @property
    def unfinished_count(self) -> int:
        """How many acts of erasing broke off; the same command once more finishes them."""
        return sum(not note.is_finished for note in self.notes)


def read_erasures(lake: Lake) -> Erasures:
    """Who is erased; no person where there is no list.

    Raises:
        HomeError: the list is damaged. Going on without it would bring people back.
    """
    return read_erasure_list(lake).erasures


def read_erasure_list(lake: Lake) -> ErasureList:
    """The list with its history; a new one, with a salt of its own, where there is none.

    Raises:
        HomeError: the list is damaged.
    """
    try:
        facts = lake.erasures.stat()
    except FileNotFoundError:
        return ErasureList(Erasures(secrets.token_bytes(_SALT_BYTES)))
    # Every file that is validated asks, and a list may be long.
    return _read_list(lake.erasures, facts.st_mtime_ns, facts.st_ino)


def add_erasures(lake: Lake, people: Iterable[tuple[ErasableField, str]]) -> Erasures:
    """Put people on the list, for good; hold `commit_lock`.

    Those who are on it already are not put on it again.

    Args:
        lake: the lake.
        people: (field, value) of each.

    Returns:
        The list as it is now.

    Raises:
        HomeError: the list is damaged.
        StorageError: it cannot be written.
    """
    before = read_erasure_list(lake)
    after = before.erasures.adding(people)
    added = tuple(sorted(after.digests - before.erasures.digests))
    if added:
        note = ErasureNote(utc_now().isoformat(), added)
        _write_list(lake, after.salt, (*before.notes, note))
    return after


def finish_erasures(lake: Lake) -> None:
    """Note that all who are on the list are gone from everything; hold `commit_lock`."""
    before = read_erasure_list(lake)
    if before.unfinished_count:
        notes = tuple(ErasureNote(note.noted_at, note.digests, True) for note in before.notes)
        _write_list(lake, before.erasures.salt, notes)


@lru_cache(maxsize=2)
def _read_list(path: Path, _modified_ns: int, _inode: int) -> ErasureList:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        notes = tuple(_parse_note(value) for value in content["notes"])
        salt = bytes.fromhex(content["salt"])
    except (ValueError, KeyError, TypeError):
        message = (
            f"The list of erased people {str(path)!r} is damaged. Put it back from a backup; "
            "without it, erased people would come back."
        )
        raise HomeError(message) from None
    digests = frozenset(pair for note in notes for pair in note.digests)
    return ErasureList(Erasures(salt, digests), notes)


def _parse_note(value: dict[str, Any]) -> ErasureNote:  # Any: JSON
    digests = tuple((str(name), str(digest)) for name, digest in value["digests"])
    return ErasureNote(str(value["noted_at"]), digests, bool(value["is_finished"]))


def _write_list(lake: Lake, salt: bytes, notes: tuple[ErasureNote, ...]) -> None:
    content = {
        "schema_version": _SCHEMA_VERSION,
        "salt": salt.hex(),
        "notes": [vars(note) for note in notes],
    }
    text = json.dumps(content, separators=(",", ":"))
    # With the salt, ids can be tried out: only the owner may read it.
    with owner_only_files():
        write_file(lake.erasures, text, what="the list of erased people")
