"""Contract: the shapes of plain JSON objects, many at a time (see `shapes`).

In: the members of a block. Out: a shape for each object, and which objects are not plain after all:
those in which a key may come twice.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sequen_dagster.contract.plain_objects import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    Block,
    Bytes,
    Members,
)
from sequen_dagster.contract.same_texts import Flags, Ints, number_rows, number_texts
from sequen_dagster.contract.shapes import ShapeCache, inner_level, is_zero
from sequen_dagster.fields import RESERVED_NAMES

# Each kind by its number; what has none is not listed.
KINDS: Final = (
    "",
    "string",
    "none_string",
    "falsy_string",
    "boolean",
    "falsy_boolean",
    "number",
    "falsy_number",
    "object",
    "array<string>",
    "embedding",
    "other",
)
_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
_ABSENT: Final = 0
_UNSUPPORTED: Final = _NUMBERS["other"]
# In a matrix of kinds: a member that is not a custom field, and no member at all.
_UNLISTED: Final = 254
_NO_MEMBER: Final = 255
_NO_MEMBERS: Final = bytes([_NO_MEMBER])
_MAX_PATHS: Final = 1_024
_MAX_CACHED: Final = 50_000
_LONGEST_NUMBERED: Final = 64
_NOT_A_NUMBER: Final = re.compile(rb"[tfn]")


def _by_first_byte() -> Bytes:
    """The kind of a value by its first byte, where that is enough."""
    kinds = np.zeros(256, dtype=np.uint8)
    kinds[list(b"123456789")] = _NUMBERS["number"]
    kinds[ord("t")] = _NUMBERS["boolean"]
    kinds[ord("f")] = _NUMBERS["falsy_boolean"]
    kinds[OPEN_OBJECT] = _NUMBERS["object"]
    return kinds


_BY_FIRST_BYTE: Final = _by_first_byte()


@dataclass(frozen=True)
class BlockShapes:
    """What is known of the members of a block.

    Attributes:
        keys: distinct keys.
        key_numbers: the position in `keys` of each member's.
        texts: distinct shapes.
        shape_numbers: the position in `texts` of each object's.
        have_repeats: whether a key comes twice in an object, or in one inside.
        have_unsupported: whether a custom field of an object is of no allowed type.
    """

    keys: list[str]
    key_numbers: Ints
    texts: list[str]
    shape_numbers: Ints
    have_repeats: Flags
    have_unsupported: Flags


@dataclass(frozen=True)
class _Path:
    name: str
    # In how deep an object it is, as far as shapes count; 0 where it is not listed.
    level: int


@dataclass
class ShapeReader:
    """Reads shapes block by block, and remembers those that it has written.

    Attributes:
        cache: decides the kinds of texts.
    """

    cache: ShapeCache
    _paths: dict[tuple[int, str], int] = field(default_factory=dict)
    _known: list[_Path] = field(default_factory=list)
    _texts: dict[bytes, str] = field(default_factory=dict)

    def read(self, block: Block, members: Members) -> BlockShapes | None:
        """Read the shapes of all objects of a block; None where it has too many different keys."""
        keys = members.key_ends - members.key_starts
        key_numbers, examples = number_texts(block.words, members.key_starts, keys)
        if len(examples) > _MAX_PATHS:
            return None
        names = [
            block.text[start:end].decode()
            for start, end in zip(
                members.key_starts[examples].tolist(),
                members.key_ends[examples].tolist(),
                strict=True,
            )
        ]
        if len(self._known) > _MAX_PATHS or len(self._texts) > _MAX_CACHED:
            self._paths.clear()
            self._known.clear()
            self._texts.clear()
        paths = self._find_paths(members, key_numbers, names)
        if paths is None:
            return None
        kinds = self._kinds_by_path(block, members, paths)
        numbers, examples = number_rows(kinds)
        have_repeats = np.count_nonzero(kinds != _NO_MEMBER, axis=1) != np.bincount(
            members.records[~members.are_in_array], minlength=len(kinds)
        )
        have_repeats |= _repeats_in_arrays(members, key_numbers, len(kinds))
        return BlockShapes(
            names,
            key_numbers,
            self._texts_of(kinds[examples]),
            numbers,
            have_repeats,
            self._have_unsupported(kinds),
        )

    def _find_paths(self, members: Members, key_numbers: Ints, names: list[str]) -> Ints | None:
        """Number the path of every member; -1 in arrays."""
        paths = np.full(len(key_numbers), -1, dtype=np.int64)
        for depth in range(1, int(members.depths.max(initial=1)) + 1):
            here = np.flatnonzero((members.depths == depth) & ~members.are_in_array)
            if not len(here):
                break
            # Paths are numbered from 0; the object itself is -1.
            parents = paths[members.parents[here]] + 1 if depth > 1 else 0
            codes = parents * len(names) + key_numbers[here]
            used = np.flatnonzero(np.bincount(codes))
            if len(used) > _MAX_PATHS:
                return None
            number_of = np.zeros(int(used[-1]) + 1, dtype=np.int64)
            number_of[used] = [
                self._number_path(code // len(names) - 1, names[code % len(names)])
                for code in used.tolist()
            ]
            paths[here] = number_of[codes]
        return paths

    def _number_path(self, parent: int, name: str) -> int:
        number = self._paths.get((parent, name))
        if number is None:
            number = self._paths[parent, name] = len(self._known)
            if parent < 0:
                self._known.append(_Path(name, 0 if name in RESERVED_NAMES else 1))
            else:
                outer = self._known[parent]
                level = inner_level(outer.name, outer.level) if outer.level else 0
                self._known.append(_Path(f"{outer.name}.{name}", level))
        return number

    def _kinds_by_path(self, block: Block, members: Members, paths: Ints) -> Bytes:
        """The kinds of all members: a row for each object, a column for each path."""
        width = max(-(-len(self._known) // 8), 1) * 8
        matrix = np.full((len(block.starts), width), _NO_MEMBER, dtype=np.uint8)
        direct = np.flatnonzero(~members.are_in_array)
        levels = np.array([path.level for path in self._known] or [0])
        is_listed = levels[paths[direct]] > 0
        listed, unlisted = direct[is_listed], direct[~is_listed]
        matrix[members.records[unlisted], paths[unlisted]] = _UNLISTED
        matrix[members.records[listed], paths[listed]] = self._kinds_of(block, members, listed)
        return matrix

    def _kinds_of(self, block: Block, members: Members, chosen: Ints) -> Bytes:
        data = block.data
        starts = members.value_starts[chosen]
        # Of the mark after the key; where the value is text, an object or an array, its own.
        marks = members.key_marks[chosen] + 2
        first = data[starts]
        kinds = _BY_FIRST_BYTE[first]
        texts = np.flatnonzero(first == QUOTE)
        is_plain = self._plain_firsts[data[starts[texts] + 1]]
        kinds[texts[is_plain]] = _NUMBERS["string"]
        texts = texts[~is_plain]
        ends = members.marks[marks[texts] + 1]
        kinds[texts] = _kinds_of_distinct(block, starts[texts] + 1, ends, self._kind_of_text)
        kinds[(first == OPEN_OBJECT) & (data[starts + 1] == CLOSE_OBJECT)] = _ABSENT
        arrays = np.flatnonzero(first == OPEN_ARRAY)
        if len(arrays):
            kinds[arrays] = _kinds_of_arrays(block, members, marks[arrays])
        numbers = np.flatnonzero((first == ord("0")) | (first == ord("-")))
        # It ends at the bracket after it, or at the comma before the quote after it.
        ends = members.marks[marks[numbers]]
        ends -= data[ends] == QUOTE
        kinds[numbers] = _kinds_of_distinct(block, starts[numbers], ends, _kind_of_number)
        return kinds

    @property
    def _plain_firsts(self) -> Flags:
        flags = np.zeros(256, dtype=np.bool_)
        flags[list(map(ord, self.cache.plain_firsts))] = True
        # It ends an empty text.
        flags[QUOTE] = False
        return flags

    def _kind_of_text(self, text: bytes) -> int:
        return _NUMBERS[self.cache.kind_of_text(text.decode())]

    def _texts_of(self, kinds: Bytes) -> list[str]:
        """The shapes of objects by their rows."""
        rows, width = kinds.tobytes(), kinds.shape[1]
        texts = []
        for start in range(0, len(rows), width):
            # Columns of paths that were met later are at the end.
            key = rows[start : start + width].rstrip(_NO_MEMBERS)
            text = self._texts.get(key)
            if text is None:
                found: list[str] = []
                for path, kind in zip(self._known, key, strict=False):
                    if kind not in (_ABSENT, _UNLISTED, _NO_MEMBER):
                        found += (path.name, KINDS[kind])
                text = self._texts[key] = self.cache.text_of(found)
            texts.append(text)
        return texts

    def _have_unsupported(self, kinds: Bytes) -> Flags:
        # Paths at the top are not inside of others: they have no parent.
        top = [number for (parent, _), number in self._paths.items() if parent < 0]
        flags: Flags = (kinds[:, top] == _UNSUPPORTED).any(axis=1)
        return flags


def _repeats_in_arrays(members: Members, key_numbers: Ints, objects: int) -> Flags:
    have_repeats = np.zeros(objects, dtype=np.bool_)
    inner = np.flatnonzero(members.are_in_array)
    if len(inner):
        codes = members.containers[inner] * (int(key_numbers.max()) + 1) + key_numbers[inner]
        order = np.argsort(codes)
        is_again = np.diff(codes[order]) == 0
        have_repeats[members.records[inner[order[1:][is_again]]]] = True
    return have_repeats


def _kinds_of_distinct(
    block: Block, starts: Ints, ends: Ints, kind_of: Callable[[bytes], int]
) -> Bytes:
    """The kinds of values, each distinct one examined once."""
    lengths = ends - starts
    kinds = np.zeros(len(starts), dtype=np.uint8)
    is_long = lengths > _LONGEST_NUMBERED
    for long in np.flatnonzero(is_long).tolist():
        kinds[long] = kind_of(block.text[starts[long] : ends[long]])
    short = np.flatnonzero(~is_long)
    numbers, examples = number_texts(block.words, starts[short], lengths[short])
    pairs = zip(starts[short[examples]].tolist(), ends[short[examples]].tolist(), strict=True)
    found = [kind_of(block.text[start:end]) for start, end in pairs]
    kinds[short] = np.array(found, dtype=np.uint8)[numbers]
    return kinds


def _kind_of_number(text: bytes) -> int:
    return _NUMBERS["falsy_number" if is_zero(text.decode()) else "number"]


def _kinds_of_arrays(block: Block, members: Members, opening: Ints) -> Bytes:
    """The kinds of arrays that begin at these marks."""
    data, marks = block.data, members.marks
    brackets_before = np.searchsorted(members.brackets, opening)
    closing = members.brackets[brackets_before + 1]
    is_flat = data[marks[closing]] == CLOSE_ARRAY
    between = marks[closing] - marks[opening] - 1
    strings = (closing - opening - 1) // 2
    # All elements are strings where these fill it, with a comma between two.
    quotes = np.delete(marks, members.brackets)
    lengths = np.concatenate(([0], np.cumsum(quotes[1::2] - quotes[::2] + 1)))
    before = (opening - brackets_before) // 2
    filled = lengths[before + strings] - lengths[before] + strings - 1
    kinds = np.full(len(opening), _UNSUPPORTED, dtype=np.uint8)
    kinds[is_flat & (strings > 0) & (filled == between)] = _NUMBERS["array<string>"]
    kinds[is_flat & (between == 0)] = _ABSENT
    for number in np.flatnonzero(is_flat & (strings == 0) & (between > 0)).tolist():
        text = block.text[marks[opening[number]] : marks[closing[number]]]
        if not _NOT_A_NUMBER.search(text):
            kinds[number] = _NUMBERS["embedding"]
    return kinds
