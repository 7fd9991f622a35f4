"""Contract: where the members of plain JSON objects lie, many objects at a time.

In: texts, each proven to be one JSON object in UTF-8 and free of backslashes. Out: positions. In
such a text every quote begins or ends a string, so that all structure follows from counting.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sequen_dagster.contract.same_texts import Flags, Ints, Words, words_of

Bytes = npt.NDArray[np.uint8]

QUOTE, COLON, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = b'":[]{}'
# With this bit, `[` is `{` and `]` is `}`; a quote stays one.
_BRACKET_BIT: Final = 0x20
# Set in `]` and `}`, not in `[` and `{`.
_CLOSING_BIT: Final = 0x04
_PADDING: Final = bytes(16)
_SPACE: Final = 0x20
# Brackets open at a time; what is in deeper ones is not looked at.
MAX_DEPTH: Final = 8


@dataclass(frozen=True)
class Block:
    """JSON objects without white space between their tokens, one after the other.

    Attributes:
        text: all of them, with a newline between two and some bytes after the last.
        starts: where each begins.
        ends: where each ends.
        is_as_sent: whether no white space had to be removed.
    """

    text: bytes
    starts: Ints
    ends: Ints
    is_as_sent: bool

    @property
    def data(self) -> Bytes:
        """The bytes of the text."""
        return np.frombuffer(self.text, dtype=np.uint8)

    @property
    def words(self) -> Words:
        """The eight bytes from each position on."""
        return words_of(self.text)

    def object_texts(self) -> list[bytes]:
        """Each object by itself."""
        pairs = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return [self.text[start:end] for start, end in pairs]


def lay_out(texts: list[bytes]) -> Block:
    """Put objects one after the other, without white space between their tokens."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths + 1) - 1
    text = b"\n".join(texts) + _PADDING
    block = Block(text, ends - lengths, ends, is_as_sent=True)
    data = block.data[: len(text) - len(_PADDING)]
    spaces = np.flatnonzero(data <= _SPACE)
    if len(spaces) == len(texts) - 1:
        return block
    quotes = np.flatnonzero(data == QUOTE)
    is_kept = np.ones(len(text), dtype=np.bool_)
    is_kept[spaces[np.searchsorted(quotes, spaces) & 1 == 0]] = False
    is_kept[ends[:-1]] = True
    if is_kept.all():
        return block
    removed = np.flatnonzero(~is_kept)
    return Block(
        block.data[is_kept].tobytes(),
        block.starts - np.searchsorted(removed, block.starts),
        block.ends - np.searchsorted(removed, block.ends),
        is_as_sent=False,
    )


@dataclass(frozen=True)
class Members:
    """The members of all objects of a block, those of inner objects as well, in text order.

    Attributes:
        records: number of the object of the block.
        key_starts: where the key begins, after its quote.
        key_ends: where it ends, at its quote.
        depths: how many brackets are open around it; 1 for the members of the object itself.
        parents: number of the member whose value is the object that it is in; -1 for none, in an
            array, and below `MAX_DEPTH`.
        are_in_array: whether an array is around it.
        containers: number of the mark that opens the object that it is in.
        key_marks: number of the mark at which the key begins; of the value, if it begins with a
            mark, it is larger by two.
        marks: positions of all quotes of strings and brackets outside of them.
        depths_at_marks: how many brackets are open after each.
    """

    records: Ints
    key_starts: Ints
    key_ends: Ints
    depths: Ints
    parents: Ints
    are_in_array: Flags
    containers: Ints
    key_marks: Ints
    marks: Ints
    depths_at_marks: npt.NDArray[np.int32]

    @property
    def value_starts(self) -> Ints:
        """Where the value begins."""
        return self.key_ends + 2


def find_members(block: Block) -> Members:
    """Find the members of all objects of a block."""
    data = block.data
    marks, is_quote, depths_at_marks = _find_marks(data)
    opening = np.flatnonzero(is_quote)[::2]
    key_marks = opening[data[marks[opening + 1] + 1] == COLON]
    key_starts = marks[key_marks] + 1
    depths = depths_at_marks[key_marks].astype(np.int64)
    is_first = (depths == 1) & (data[key_starts - 2] == OPEN_OBJECT)
    not_empty = np.flatnonzero(block.ends - block.starts > 2)
    members = Members(
        records=not_empty[np.cumsum(is_first) - 1],
        key_starts=key_starts,
        key_ends=marks[key_marks + 1],
        depths=depths,
        parents=np.full(len(key_marks), -1, dtype=np.int64),
        are_in_array=np.zeros(len(key_marks), dtype=np.bool_),
        containers=np.full(len(key_marks), -1, dtype=np.int64),
        key_marks=key_marks,
        marks=marks,
        depths_at_marks=depths_at_marks,
    )
    _find_parents(members, data, is_quote)
    return members


def _find_marks(data: Bytes) -> tuple[Ints, Flags, npt.NDArray[np.int32]]:
    """Find quotes and the brackets outside of strings, which are quotes, and the depth after."""
    folded = data | _BRACKET_BIT
    marks = np.flatnonzero((data == QUOTE) | (folded == OPEN_OBJECT) | (folded == CLOSE_OBJECT))
    kinds = data[marks]
    is_quote = kinds == QUOTE
    is_in_string = (np.cumsum(is_quote, dtype=np.int32) & 1) == 1
    is_text = is_in_string & ~is_quote
    if is_text.any():
        marks, kinds, is_quote = marks[~is_text], kinds[~is_text], is_quote[~is_text]
    steps = np.where(kinds & _CLOSING_BIT, np.int8(-1), np.int8(1))
    steps[is_quote] = 0
    return marks, is_quote, np.cumsum(steps, dtype=np.int32)


def _find_parents(members: Members, data: Bytes, is_quote: Flags) -> None:
    """Fill in what is around the members of inner objects."""
    depths, marks = members.depths, members.marks
    is_object = ~is_quote & (data[marks] == OPEN_OBJECT)
    for depth in range(2, min(int(depths.max(initial=1)), MAX_DEPTH) + 1):
        here = np.flatnonzero(depths == depth)
        # The last object that began at this depth, and the last member one level up.
        is_opening = is_object & (members.depths_at_marks == depth)
        opened_before = np.cumsum(is_opening, dtype=np.int32)[members.key_marks[here]]
        container = np.flatnonzero(is_opening)[opened_before - 1]
        is_outer = depths == depth - 1
        outer_before = np.cumsum(is_outer, dtype=np.int32)[here]
        is_value = data[marks[container] - 1] == COLON
        # Where an array is between them, there may be no member one level up.
        outer = np.append(np.flatnonzero(is_outer), -1)
        parent = np.where(is_value, outer[outer_before - 1], -1)
        members.containers[here] = container
        members.parents[here] = parent
        members.are_in_array[here] = ~is_value | members.are_in_array[parent]
