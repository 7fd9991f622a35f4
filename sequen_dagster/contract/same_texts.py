"""Contract: which of many texts, or rows of bytes, are the same.

In: positions in a buffer, or a matrix. Out: a number for each, the same for the same, and where one
with each number is. Exact: a hash only proposes, and what it proposes is compared.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

# Odd numbers without a pattern; any would do.
_FACTORS: Final = tuple(
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
)
# Few enough to stay in a core's nearest memory.
_SLOTS: Final = 1 << 13
_SLOT_SHIFT: Final = np.uint64(64 - 13)
# Keeps the first so many bytes of a word.
FIRST_BYTES: Final = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)


def words_of(text: bytes | bytearray | npt.NDArray[np.uint8]) -> Words:
    """The eight bytes from each position of a text on, as a number; the last seven have none."""
    return np.ndarray((len(text) - 7,), np.dtype("<u8"), text, 0, (1,))


def number_texts(words: Words, starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    r"""Number the texts that lie in a buffer.

    Args:
        words: of the buffer, which goes on for seven bytes after the last text.
        starts: where each text begins.
        lengths: how long each is.

    Returns:
        The number of each text, and for each number the position in `starts` of a text with it.

    Example:
        >>> numbers, examples = number_texts(
        ...     words_of(b"abab" + bytes(8)), np.array([0, 1, 2]), np.array([2, 2, 2])
        ... )
        >>> bool(numbers[0] == numbers[2]), len(examples)
        (True, 2)
    """
    # Up to 16 bytes, the first and the last eight and the length say all of a text.
    first = words[starts]
    is_short = lengths < 8
    first = np.where(is_short, first & FIRST_BYTES[np.minimum(lengths, 8)], first)
    last = np.where(is_short, first, words[np.maximum(starts + lengths - 8, 0)])
    hashes = (first * _FACTORS[0]) ^ ((last + lengths.astype(np.uint64)) * _FACTORS[1])

    def are_same(here: Ints, there: Ints) -> Flags:
        same: Flags = (
            (first[here] == first[there])
            & (last[here] == last[there])
            & (lengths[here] == lengths[there])
        )
        at = 8
        left = np.flatnonzero(lengths[here] > 16)
        while left.size:
            one, other = here[left], there[left]
            same[left] &= words[starts[one] + at] == words[starts[other] + at]
            at += 8
            left = left[(lengths[one] > at + 8) & same[left]]
        return same

    return _number(hashes ^ (hashes >> np.uint64(29)), are_same)


def number_rows(rows: npt.NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Number the rows of a matrix of bytes, whose width is a multiple of eight.

    Returns:
        As `number_texts`.
    """
    words = rows.view(np.uint64)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for column in range(words.shape[1]):
        hashes = (hashes ^ words[:, column]) * _FACTORS[0]
        hashes ^= hashes >> np.uint64(31)

    def are_same(here: Ints, there: Ints) -> Flags:
        same: Flags = (words[here] == words[there]).all(axis=1)
        return same

    return _number(hashes, are_same)


def _number(hashes: Words, are_same: Callable[[Ints, Ints], Flags]) -> tuple[Ints, Ints]:
    slots = ((hashes * _FACTORS[2]) >> _SLOT_SHIFT).astype(np.int64)
    numbers = np.empty(len(hashes), dtype=np.int64)
    examples: list[Ints] = []
    count = 0
    left = np.arange(len(hashes))
    # Different texts in one slot are left for the next round; every round takes at least one.
    while len(left):
        slots_left = slots[left]
        last_in_slot = np.full(_SLOTS, -1, dtype=np.int64)
        last_in_slot[slots_left] = left
        used = np.flatnonzero(last_in_slot >= 0)
        number_of_slot = np.empty(_SLOTS, dtype=np.int64)
        number_of_slot[used] = np.arange(count, count + len(used))
        numbers[left] = number_of_slot[slots_left]
        examples.append(last_in_slot[used])
        count += len(used)
        left = left[~are_same(left, last_in_slot[slots_left])]
    return numbers, np.concatenate(examples) if examples else left
