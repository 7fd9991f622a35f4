"""Contract: people who were erased stay erased, whatever file brings their records again.

In: a split of records. Out: the same split without the records of erased people. A list of salted
hashes names them; it holds no id of a person. No Dagster and no files here.
"""

import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal

import polars as pl

from sequen_dagster.contract.quarantine import count_errors
from sequen_dagster.contract.validate import Split
from sequen_dagster.contract.warnings import NO_TYPE, Counts
from sequen_dagster.exports.records import RAW_KEPT_BYTES
from sequen_dagster.fields import ALIASES
from sequen_dagster.settings import fingerprint

ErasableField = Literal["uid", "cid", "id"]
ERASABLE: Final[tuple[ErasableField, ...]] = ("uid", "cid", "id")
# The reason that skipped records are counted by.
ERASED: Final = "erased"

# Separators of values in a record that cannot be read, whatever its format.
_WORDS: Final = re.compile(r"[\s,;|{}\[\]\"']+")
_NARROW_WORDS: Final = re.compile(r"[\s,;|{}\[\]\"':=&]+")
_DELIMITERS: Final = '",;|\t'
_ESCAPED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)', re.DOTALL)


@dataclass(frozen=True)
class Erasures:
    """People whose records are left out: by user, by client, or event by event.

    Attributes:
        salt: goes into every hash, so that a list of common ids does not reveal who is meant.
        digests: (field, HMAC-SHA256 of field and value as hex).

    Example:
        >>> erasures = Erasures(b"salt").adding([("uid", "u1")])
        >>> erasures.holds("uid", "u1"), erasures.holds("cid", "u1")
        (True, False)
    """

    salt: bytes = field(default=b"", repr=False)
    digests: frozenset[tuple[str, str]] = frozenset()

    @property
    def fingerprint(self) -> str:
        """Identify the list (16 hex digits); empty where the list is."""
        return fingerprint({"erased": sorted(self.digests)}) if self.digests else ""

    @property
    def fields(self) -> tuple[ErasableField, ...]:
        """The fields of the entries."""
        given = {name for name, _ in self.digests}
        return tuple(name for name in ERASABLE if name in given)

    def adding(self, people: Iterable[tuple[ErasableField, str]]) -> "Erasures":
        """Copy the list with (field, value) pairs added."""
        more = {(name, self.digest(name, value)) for name, value in people}
        return replace(self, digests=self.digests | more)

    def digest(self, name: str, value: str) -> str:
        """The salted hash of a value of a field, as hex."""
        text = f"{name}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.salt, text, "sha256").hex()

    def holds(self, name: str, value: str) -> bool:
        """Whether a value of a field is on the list."""
        return (name, self.digest(name, value)) in self.digests


NO_ERASURES: Final = Erasures()


def split_without_erased(split: Split, erasures: Erasures) -> tuple[Split, Counts]:
    """Leave out the records of erased people.

    An accepted row goes by its `uid`, `cid` or `id`, and so does a quarantined one whose text can
    be read. Of a quarantined record that cannot be read, and has an erased value somewhere, only
    the text goes, with its hash. So does a text that is not whole: its missing part may have held
    such a value. Warnings stay as they were counted.

    The lake does this to files as they come in and to rows that it has, with the same result.

    Args:
        split: the split of some records, as polars frames.
        erasures: who is left out.

    Returns:
        The split without them, and how many records were left out, by (event type, `erased`).

    Example:
        >>> from sequen_dagster.contract import EventContract
        >>> split = EventContract().validate(pl.DataFrame({"type": ["click"], "uid": ["u1"]}))
        >>> kept, skipped = split_without_erased(split, Erasures().adding([("uid", "u1")]))
        >>> len(kept.quarantined), dict(skipped)
        (0, {('click', 'erased'): 1})
    """
    if not erasures.digests:
        return split, Counter()
    is_erased = erased_rows(split.accepted, erasures)
    # Names of fields and the like repeat in every record, so most are hashed once.
    is_mention = cache(lambda value: any(erasures.holds(name, value) for name in erasures.fields))
    texts = split.quarantined.select("raw", "raw_bytes")
    treatments = [
        _choose_treatment(raw, size, erasures, is_mention) for raw, size in texts.iter_rows()
    ]
    is_out = pl.Series([treatment == "out" for treatment in treatments], dtype=pl.Boolean)
    is_mute = pl.Series([treatment == "mute" for treatment in treatments], dtype=pl.Boolean)
    types = [*split.accepted["type"].filter(is_erased), *split.quarantined["type"].filter(is_out)]
    quarantined = without_text(split.quarantined, is_mute).filter(~is_out)
    kept = replace(
        split,
        accepted=split.accepted.filter(~is_erased),
        quarantined=quarantined,
        errors=count_errors(quarantined) if is_out.any() else split.errors,
    )
    return kept, Counter((kind or NO_TYPE, ERASED) for kind in types)


def erased_rows(accepted: pl.DataFrame, erasures: Erasures) -> pl.Series:
    """Find the accepted rows of erased people.

    Args:
        accepted: rows with at least the columns that `erasures.fields` names.
        erasures: who is left out.

    Returns:
        A boolean for each row.
    """
    is_erased = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(accepted))
    for name in erasures.fields:
        # Each distinct value is hashed once: a file has far fewer people than events.
        distinct = accepted[name].drop_nulls().unique()
        found = [value for value in distinct if erasures.holds(name, value)]
        if found:
            is_erased |= accepted[name].is_in(found).fill_null(False)
    return is_erased


def without_text(quarantined: pl.DataFrame, is_mute: pl.Series) -> pl.DataFrame:
    """Drop the text of some quarantined rows, and its hash (a short text could be guessed)."""
    texts = [
        pl.when(~is_mute).then(pl.col(name)).otherwise(None).alias(name)
        for name in ("raw", "raw_sha256")
    ]
    return quarantined.with_columns(texts) if is_mute.any() else quarantined


def _choose_treatment(
    raw: str | None, size: int, erasures: Erasures, is_mention: Callable[[str], bool]
) -> Literal["stay", "mute", "out"]:
    if not raw:
        return "stay"
    read = _read_json(raw)
    if read is None:
        is_mentioned = any(map(is_mention, _values_of_text(raw)))
    elif any(erasures.holds(name, value) for name, value in _erasable_values(read[0])):
        return "out"
    else:
        is_mentioned = any(map(is_mention, read[1]))
    return "mute" if is_mentioned or size > RAW_KEPT_BYTES else "stay"


def _read_json(raw: str) -> tuple[object, set[str]] | None:
    """Parse a text, and collect all names and values in it; None where it is not JSON."""
    found: set[str] = set()

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for pair in pairs:
            _note_texts(pair, found)
        return dict(pairs)

    try:
        value = json.loads(raw, object_pairs_hook=note, parse_int=_digits, parse_float=str)
        _note_texts((value,), found)
    except (ValueError, RecursionError):
        return None
    return value, found


def _note_texts(values: Iterable[object], found: set[str]) -> None:
    for value in values:
        if isinstance(value, str):
            found.add(value)
            found.update(_NARROW_WORDS.split(value))
        elif isinstance(value, list):
            _note_texts(value, found)


def _erasable_values(record: object) -> Iterator[tuple[str, str]]:
    """The values by which a record names a person."""
    for key, value in record.items() if isinstance(record, dict) else ():
        name = ALIASES.get(key, key)
        if name in ERASABLE and isinstance(value, str):
            yield name, value


def _digits(digits: str) -> str:
    return "0" if digits == "-0" else digits


def _values_of_text(raw: str) -> set[str]:
    """Collect everything that may be a value in a text of any format."""
    found = {*_WORDS.split(raw), *_NARROW_WORDS.split(raw)}
    pieces = {piece for delimiter in _DELIMITERS for piece in raw.split(delimiter)}
    found |= pieces
    found |= {piece.strip().strip('"').replace('""', '"') for piece in pieces if '"' in piece}
    for inner in _ESCAPED.findall(raw) if "\\" in raw else ():
        try:
            found.add(json.loads(f'"{inner}"', strict=False))
        except ValueError:
            continue
    return found
