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
Depths = npt.NDArray[np.int16]

QUOTE, COLON, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = b'":[]{}'
# With this bit, `[` is `{` and `]` is `}`; a quote stays one.
_BRACKET_BIT: Final = 0x20
# Set in `]` and `}`, not in `[` and `{`.
_CLOSING_BIT: Final = 0x04
_PADDING: Final = bytes(16)
_SPACE: Final = 0x20
_IS_BETWEEN: Final = np.isin(np.arange(256), list(b"{}[],:"))
# Brackets open at a time; what is in deeper ones is not looked at.
MAX_DEPTH: Final = 8


@dataclass(frozen=True)
class Block:
    """JSON objects, one after the other.

    Attributes:
        text: all of them, with a newline between two and some bytes after the last.
        starts: where each begins.
        ends: where each ends.
        is_as_sent: whether no white space between tokens was removed.
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
    """Put objects one after the other."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths + 1) - 1
    return Block(b"\n".join(texts) + _PADDING, ends - lengths, ends, is_as_sent=True)


def _without(block: Block, spaces: Ints) -> Block:
    """Remove bytes, all but those between two objects, from a block."""
    is_kept = np.ones(len(block.text), dtype=np.bool_)
    is_kept[spaces] = False
    is_kept[block.ends] = True
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
        brackets: numbers of the marks that are brackets.
        bracket_depths: how many brackets are open after each of these.
    """

    records: Ints
    key_starts: Ints
    key_ends: Ints
    depths: Depths
    parents: Ints
    are_in_array: Flags
    containers: Ints
    key_marks: Ints
    marks: Ints
    brackets: Ints
    bracket_depths: Depths

    @property
    def value_starts(self) -> Ints:
        """Where the value begins."""
        return self.key_ends + 2


def find_members(block: Block) -> tuple[Block, Members]:
    """Find the members of all objects of a block.

    Returns:
        The block without white space between tokens, and the members in it.
    """
    spaces = _find_spaces(block)
    if len(spaces):
        block = _without(block, spaces)
    data = block.data
    marks, brackets = _find_marks(data)
    steps = 1 - ((data[marks[brackets]] & _CLOSING_BIT) >> 1).view(np.int8)
    bracket_depths = np.cumsum(steps, dtype=np.int16)
    is_quote = np.ones(len(marks), dtype=np.bool_)
    is_quote[brackets] = False
    quotes = np.flatnonzero(is_quote)
    keys = np.flatnonzero(data[marks[quotes[1::2]] + 1] == COLON)
    key_marks = quotes[2 * keys]
    # Of the marks before a key, those that are not quotes.
    brackets_before = key_marks - 2 * keys
    depths = bracket_depths[brackets_before - 1]
    key_starts = marks[key_marks] + 1
    is_first = (depths == 1) & (data[key_starts - 2] == OPEN_OBJECT)
    not_empty = np.flatnonzero(block.ends - block.starts > 2)
    members = Members(
        records=not_empty[np.cumsum(is_first) - 1],
        key_starts=key_starts,
        key_ends=marks[key_marks + 1],
        depths=depths,
        parents=np.full(len(keys), -1, dtype=np.int64),
        are_in_array=np.zeros(len(keys), dtype=np.bool_),
        containers=np.full(len(keys), -1, dtype=np.int64),
        key_marks=key_marks,
        marks=marks,
        brackets=brackets,
        bracket_depths=bracket_depths,
    )
    _find_parents(members, data, brackets_before)
    return block, members


def _find_spaces(block: Block) -> Ints:
    """Find white space between tokens, if there is any but the newlines between objects."""
    data = block.data
    spaces = np.flatnonzero(data[: block.ends[-1]] <= _SPACE)
    # Of white space between two tokens, one end lies at a bracket, a comma or a colon.
    is_beside = _IS_BETWEEN[data[spaces - 1]] | _IS_BETWEEN[data[spaces + 1]]
    beside = spaces[is_beside]
    if len(beside) < len(block.ends):
        return spaces[:0]
    quotes = np.flatnonzero(data == QUOTE)
    if np.count_nonzero(np.searchsorted(quotes, beside) & 1 == 0) < len(block.ends):
        return spaces[:0]
    outside: Ints = spaces[np.searchsorted(quotes, spaces) & 1 == 0]
    return outside


def _find_marks(data: Bytes) -> tuple[Ints, Ints]:
    """Find the quotes, and the brackets outside of strings; and which of them are brackets."""
    folded = data | _BRACKET_BIT
    marks = np.flatnonzero((data == QUOTE) | (folded == OPEN_OBJECT) | (folded == CLOSE_OBJECT))
    brackets = np.flatnonzero(data[marks] != QUOTE)
    # After an odd number of quotes, a string is open.
    is_text = (brackets - np.arange(len(brackets))) & 1 == 1
    if is_text.any():
        marks = np.delete(marks, brackets[is_text])
        brackets = np.flatnonzero(data[marks] != QUOTE)
    return marks, brackets


def _find_parents(members: Members, data: Bytes, brackets_before: Ints) -> None:
    """Fill in what is around the members of inner objects."""
    depths, marks, brackets = members.depths, members.marks, members.brackets
    is_object = data[marks[brackets]] == OPEN_OBJECT
    for depth in range(2, min(int(depths.max(initial=1)), MAX_DEPTH) + 1):
        here = np.flatnonzero(depths == depth)
        # The last object that began at this depth, and the last member one level up.
        is_opening = is_object & (members.bracket_depths == depth)
        opened_before = np.cumsum(is_opening, dtype=np.int32)[brackets_before[here] - 1]
        container = brackets[np.flatnonzero(is_opening)[opened_before - 1]]
        is_outer = depths == depth - 1
        outer_before = np.cumsum(is_outer, dtype=np.int32)[here]
        is_value = data[marks[container] - 1] == COLON
        # Where an array is between them, there may be no member one level up.
        outer = np.append(np.flatnonzero(is_outer), -1)
        parent = np.where(is_value, outer[outer_before - 1], -1)
        members.containers[here] = container
        members.parents[here] = parent
        members.are_in_array[here] = ~is_value | members.are_in_array[parent]
