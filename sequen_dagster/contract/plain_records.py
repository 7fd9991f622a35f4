"""Contract: plainly clean records become columns, many at a time.

In: texts of records. Out: the columns of those that are plain, and which these are. It reads no
record otherwise than `parse` does one at a time; it only refuses more of them.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
import numpy as np
import pyarrow as pa

from sequen_dagster.contract.plain_objects import (
    MAX_DEPTH,
    QUOTE,
    Block,
    Bytes,
    Members,
    find_members,
    lay_out,
)
from sequen_dagster.contract.plain_shapes import ShapeReader
from sequen_dagster.contract.same_texts import FIRST_BYTES, Flags, Ints, Words, words_of
from sequen_dagster.contract.scalars import NOT_TEXT
from sequen_dagster.contract.shapes import ShapeCache
from sequen_dagster.exports.plain_lines import prove_object
from sequen_dagster.fields import ALIASES, FIELD_NAMES

# What is held beside a text is some forty times as long; so it is done in blocks.
BLOCK_BYTES: Final = 1 << 21
BLOCK_RECORDS: Final = 8_192
# Longer ones are read one at a time.
_MAX_RECORD_BYTES: Final = 1 << 16
_MAX_KEY_BYTES: Final = 256
# Views hold shorter texts themselves.
_INLINE_BYTES: Final = 12
_HALF_WORD: Final = np.uint64(32)
_MD5_DIGITS: Final = 32
_CUSTOM: Final = -1
# Just below the size from which on glibc no longer learns.
_KEPT_BYTES: Final = 31 << 20

_Texts = Any  # an Arrow array of text, of which pyarrow's stubs know many kinds

_NAMES: Final = {name: number for number, name in enumerate(FIELD_NAMES)}
_FIELD_OF_KEY: Final = _NAMES | {alias: _NAMES[name] for alias, name in ALIASES.items()}


@dataclass(frozen=True)
class PlainRecords:
    """The plain ones among some records.

    Attributes:
        positions: which they are, in order.
        rows: the row of each in `columns`, which has others as well.
        columns: raw values of every reserved field, `properties`, `property_shape`, `record_md5`.
        unsupported: of the positions, those that warn of `unsupported_field_type`.
    """

    positions: Ints
    rows: Ints
    columns: pa.RecordBatch
    unsupported: list[int]


class PlainReader:
    """Reads the plain records of one file, block by block.

    Args:
        shapes: decides the kinds of texts.
        max_depth: deepest nesting of a record.
    """

    def __init__(self, shapes: ShapeCache, *, max_depth: int) -> None:
        # From a large array that is freed, glibc learns to keep as much for the next ones. Else it
        # would give back what each block took, which costs as much again as a third of the work.
        np.empty(_KEPT_BYTES, dtype=np.uint8)
        self._shapes = ShapeReader(shapes)
        self._max_depth = min(max_depth, MAX_DEPTH)

    def read(self, texts: list[bytes], *, unproven: Ints | None = None) -> PlainRecords | None:
        """Read the plain ones among the records of a block; None where none is.

        Args:
            texts: the records.
            unproven: positions of those not known to be JSON objects in UTF-8; None for all.
        """
        positions = find_candidates(texts, np.arange(len(texts)) if unproven is None else unproven)
        while len(positions):
            chosen = texts if len(positions) == len(texts) else [texts[at] for at in positions]
            block, members = find_members(lay_out(chosen))
            is_out = self._are_out_of_bounds(block, members)
            if not is_out.any():
                return self._read_block(block, members, positions, chosen)
            positions = positions[~is_out]
        return None

    def _are_out_of_bounds(self, block: Block, members: Members) -> Flags:
        """Which objects are nested too deeply, or have a key that is too long."""
        is_out = np.zeros(len(block.starts), dtype=np.bool_)
        deep = members.marks[members.brackets[members.bracket_depths > self._max_depth]]
        long = members.key_starts[members.key_ends - members.key_starts > _MAX_KEY_BYTES]
        for marks in (deep, long):
            if len(marks):
                is_out[np.searchsorted(block.starts, marks, side="right") - 1] = True
        return is_out

    def _read_block(
        self, block: Block, members: Members, positions: Ints, texts: list[bytes]
    ) -> PlainRecords | None:
        shapes = self._shapes.read(block, members)
        if shapes is None:
            return None
        top = np.flatnonzero(members.depths == 1)
        fields = np.array([_FIELD_OF_KEY.get(key, _CUSTOM) for key in shapes.keys], dtype=np.int64)
        slots = _Slots.of(block, members, top, fields[shapes.key_numbers[top]])
        columns, have_rivals = _field_columns(block, slots)
        is_plain = ~shapes.have_repeats & ~have_rivals
        columns |= {
            "properties": _properties_of(block, slots),
            "property_shape": pa.array(shapes.texts, pa.large_string()).take(shapes.shape_numbers),
            "record_md5": _hash_texts(texts if block.is_as_sent else block.object_texts()),
        }
        unsupported = positions[shapes.have_unsupported & is_plain].tolist()
        rows = np.flatnonzero(is_plain)
        batch = pa.RecordBatch.from_pydict(columns)
        return PlainRecords(positions[rows], rows, batch, unsupported)


def find_candidates(texts: list[bytes], unproven: Ints) -> Ints:
    """Find the records that may be plain: JSON objects in UTF-8, not too long, no backslash.

    Args:
        texts: the records.
        unproven: positions of those not known to be JSON objects in UTF-8.
    """
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    is_candidate = lengths <= _MAX_RECORD_BYTES
    everything = b"".join(texts)
    ends = np.cumsum(lengths)
    # Few have one: looking for the next costs less than asking each.
    at = everything.find(b"\\")
    while at >= 0:
        position = np.searchsorted(ends, at, side="right")
        is_candidate[position] = False
        at = everything.find(b"\\", ends[position])
    doubtful = unproven[is_candidate[unproven]]
    if not _are_objects([texts[position] for position in doubtful]):
        is_candidate[doubtful] = [_are_objects([texts[position]]) for position in doubtful]
    return np.flatnonzero(is_candidate)


def _are_objects(texts: list[bytes]) -> bool:
    """Whether each text is a JSON object in UTF-8."""
    try:
        deque(map(prove_object, texts), maxlen=0)
        everything = b"".join(texts)
        everything.isascii() or everything.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


@dataclass(frozen=True)
class _Slots:
    """The members of the objects themselves.

    Attributes:
        records: number of the object of the block.
        fields: number of the reserved field, or `_CUSTOM`.
        starts: where the key begins, at its quote.
        value_starts: where the value begins.
        ends: where the value ends.
    """

    records: Ints
    fields: Ints
    starts: Ints
    value_starts: Ints
    ends: Ints

    @classmethod
    def of(cls, block: Block, members: Members, top: Ints, fields: Ints) -> Self:
        records, starts = members.records[top], members.key_starts[top] - 1
        # Up to the comma before the next, or to the bracket at the end.
        ends = np.append(starts[1:], 0) - 1
        is_last = np.ones(len(records), dtype=np.bool_)
        is_last[:-1] = records[1:] != records[:-1]
        ends = ends[: len(records)]
        ends[is_last] = block.ends[records[is_last]] - 1
        return cls(records, fields, starts, members.value_starts[top], ends)


def _field_columns(block: Block, slots: _Slots) -> tuple[dict[str, _Texts], Flags]:
    """Raw values of the reserved fields, and which objects have a field by two names."""
    # Any field whose value is not text gets the mark of that in the place of the colon before it.
    buffer = np.array(block.data)
    given = np.flatnonzero(slots.fields != _CUSTOM)
    fields, records = slots.fields[given], slots.records[given]
    starts, ends = slots.value_starts[given], slots.ends[given]
    is_text = buffer[starts] == QUOTE
    buffer[starts[~is_text] - 1] = ord(NOT_TEXT)
    starts = np.where(is_text, starts + 1, starts - 1)
    views = np.zeros((len(FIELD_NAMES), len(block.starts), 2), dtype=np.uint64)
    views[fields, records] = _views_of(buffer, starts, ends - is_text - starts)
    is_given = np.zeros(views.shape[:2], dtype=np.bool_)
    is_given[fields, records] = True
    counts = np.bincount(records, minlength=len(block.starts))
    have_rivals = np.count_nonzero(is_given, axis=0) != counts
    is_null = np.flatnonzero(block.data[slots.value_starts[given]] == ord("n"))
    is_given[fields[is_null], records[is_null]] = False
    columns = {
        name: _text_column(buffer, views[number], is_given[number])
        for number, name in enumerate(FIELD_NAMES)
    }
    return columns, have_rivals


def _views_of(buffer: Bytes, starts: Ints, lengths: Ints) -> Words:
    """Arrow's views of texts: the length, then the text, or its first bytes and its place."""
    words = words_of(buffer)
    views = np.empty((len(starts), 2), dtype=np.uint64)
    head = words[starts] & FIRST_BYTES[np.minimum(lengths, 4)]
    views[:, 0] = lengths.astype(np.uint64) | (head << _HALF_WORD)
    tail = words[starts + 4] & FIRST_BYTES[np.clip(lengths - 4, 0, 8)]
    views[:, 1] = np.where(lengths > _INLINE_BYTES, starts.astype(np.uint64) << _HALF_WORD, tail)
    return views


def _text_column(buffer: Bytes, views: Words, is_given: Flags) -> _Texts:
    if not is_given.any():
        return pa.nulls(len(views), pa.large_string())
    validity = None if is_given.all() else _arrow(np.packbits(is_given, bitorder="little"))
    parts = [validity, _arrow(views), _arrow(buffer)]
    array = pa.Array.from_buffers(pa.string_view(), len(views), parts)
    # Copied while the block is near: a column that lies scattered is slow in every later step.
    return array.cast(pa.large_string())


def _properties_of(block: Block, slots: _Slots) -> _Texts:
    """The custom fields of each object, as one object, their text unchanged."""
    custom = np.flatnonzero(slots.fields == _CUSTOM)
    records, starts, ends = slots.records[custom], slots.starts[custom], slots.ends[custom]
    # All but the first of an object bring the comma before them.
    starts[1:] -= records[1:] == records[:-1]
    # What is kept, in order: of each object its bracket, these members, its other bracket.
    objects = np.arange(len(block.starts))
    first_kept = np.searchsorted(records, objects) + 2 * objects
    after_kept = np.searchsorted(records, objects, side="right") + 2 * objects + 1
    of_members = np.arange(len(custom)) + 2 * records + 1
    edges = np.empty((len(custom) + 2 * len(objects), 2), dtype=np.int64)
    edges[first_kept] = np.stack((block.starts, block.starts + 1), axis=1)
    edges[of_members] = np.stack((starts, ends), axis=1)
    edges[after_kept] = np.stack((block.ends - 1, block.ends), axis=1)
    steps = np.diff(edges.ravel(), prepend=0)
    is_kept = np.repeat(np.arange(len(steps)) & 1 == 1, steps)
    kept = block.data[: len(is_kept)][is_kept]
    lengths = np.full(len(block.starts), 2, dtype=np.int64)
    lengths += np.bincount(records, weights=ends - starts, minlength=len(lengths)).astype(np.int64)
    return _texts_in_a_row(kept, lengths)


def _hash_texts(texts: list[bytes]) -> _Texts:
    digests = [hashlib.md5(text, usedforsecurity=False).digest() for text in texts]
    digits = b"".join(digests).hex().encode()
    return _texts_in_a_row(digits, np.full(len(texts), _MD5_DIGITS, dtype=np.int64))


def _texts_in_a_row(text: bytes | Bytes, lengths: Ints) -> _Texts:
    offsets = _arrow(np.concatenate(([0], np.cumsum(lengths))))
    parts = [None, offsets, _arrow(text)]
    return pa.Array.from_buffers(pa.large_string(), len(lengths), parts)


def _arrow(content: bytes | Bytes | Ints | Words) -> pa.Buffer:
    return pa.py_buffer(content if isinstance(content, bytes) else content.data)
