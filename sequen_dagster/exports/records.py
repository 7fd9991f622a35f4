"""Exports: the form in which every reader hands its records on, in chunks of bounded size."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

# Fixed costs of validating a chunk (some 40 checks) are spread over this many records.
CHUNK_RECORDS: Final = 65_536
CHUNK_BYTES: Final = 32 * 1024 * 1024
# How much of a quarantined record's text is kept beside its length and hash.
RAW_KEPT_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Unreadable:
    """A record that no reader can read.

    Attributes:
        line: physical line on which it starts, 1-based; 0 for a whole file.
        item: its number among the records that start on its line, from 1.
        rule: the rule code.
        raw: the beginning of its bytes.
        raw_bytes: length of the whole record.
        raw_sha256: hash of the whole record, as hex.
    """

    line: int
    item: int
    rule: str
    raw: bytes
    raw_bytes: int
    raw_sha256: str

    @classmethod
    def of(cls, rule: str, raw: bytes, *, line: int, item: int = 1) -> "Unreadable":
        """Make an unreadable record of its whole bytes."""
        digest = hashlib.sha256(raw).hexdigest()
        return cls(line, item, rule, raw[:RAW_KEPT_BYTES], len(raw), digest)


class HashedBytes:
    """The beginning, the length and the hash of bytes that are too many to be held."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._kept = b""
        self._length = 0

    def add(self, part: bytes) -> None:
        """Append bytes."""
        self._hash.update(part)
        self._length += len(part)
        self._kept += part[: RAW_KEPT_BYTES - len(self._kept)]

    def unreadable(self, rule: str, *, line: int, item: int = 1) -> Unreadable:
        """Make an unreadable record of the bytes."""
        return Unreadable(line, item, rule, self._kept, self._length, self._hash.hexdigest())


@dataclass(eq=False)
class Giver:
    """An envelope that gives fields to its records.

    Attributes:
        fields: JSON texts of the fields, by name as spelled there, the absent ones as well.
        is_whole: whether these are all; if not, no envelope further out gives a field either.
    """

    fields: dict[str, bytes] = field(default_factory=dict)
    is_whole: bool = True


@dataclass
class RecordChunk:
    """Consecutive records of one file: JSON texts with their lineage.

    Attributes:
        texts: one JSON text a record, as bytes, not yet known to be valid.
        lines: physical line on which each starts, 1-based.
        items: number of each among the records that start on its line, from 1.
        unreadable: records that could not be cut out at all.
        blank_lines: lines that hold nothing.
        givers: by position in `texts`, the envelopes around a record that may give it fields, the
            nearest first.
        folder: the fields that the folders of the file give to all of its records, as JSON texts.
        envelopes_with_fields: envelopes that held more than their events and the fields they give.
        envelopes_with_repeats: envelopes in which a key came twice.
        is_text_format: whether the file is CSV, where numbers are text by nature.
        size_bytes: length of all texts.
        unproven: positions in `texts` of those that are not known to be JSON objects in UTF-8.
    """

    texts: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    givers: dict[int, tuple[Giver, ...]] = field(default_factory=dict)
    folder: dict[str, bytes] = field(default_factory=dict)
    blank_lines: int = 0
    envelopes_with_fields: int = 0
    envelopes_with_repeats: int = 0
    is_text_format: bool = False
    size_bytes: int = 0
    unproven: list[int] = field(default_factory=list)

    def add(self, text: bytes, line: int, item: int = 1) -> None:
        """Append a record."""
        self.unproven.append(len(self.texts))
        self.texts.append(text)
        self.lines.append(line)
        self.items.append(item)
        self.size_bytes += len(text)

    def add_unreadable(self, record: Unreadable) -> None:
        """Append a record that cannot be read."""
        self.unreadable.append(record)
        self.size_bytes += len(record.raw)

    def add_lines(self, texts: list[bytes], first_line: int) -> None:
        """Append records that stand on consecutive lines, known to be JSON objects in UTF-8."""
        self.texts += texts
        self.lines += range(first_line, first_line + len(texts))
        self.items += repeat(1, len(texts))
        self.size_bytes += sum(map(len, texts))

    def envelope_warnings(self) -> dict[str, int]:
        """Envelopes by the code of the warning that they raise themselves."""
        counts = {
            "envelope_fields": self.envelopes_with_fields,
            "duplicate_key": self.envelopes_with_repeats,
        }
        return {code: count for code, count in counts.items() if count}

    @property
    def is_full(self) -> bool:
        """Whether the chunk has reached its size."""
        records = len(self.texts) + len(self.unreadable)
        return records >= CHUNK_RECORDS or self.size_bytes >= CHUNK_BYTES


Chunks = Iterator[RecordChunk]
