"""Reports: which shares differ by more than chance, so that the page shows them first.

In: counts of the report, by release or by day. Out: the pair that differs most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

# A few points: less is of no use to a person, however sure it is.
_LEAST_DIFFERENCE: Final = 0.03
_CHANCE: Final = 0.05
_Z_95: Final = 1.959964


@dataclass(frozen=True)
class Difference:
    """The lowest and the highest of several shares that differ by more than chance.

    Attributes:
        lowest: place of the lowest share.
        highest: place of the highest share.
        points: how far they are apart, from 0 to 1.
    """

    lowest: int
    highest: int
    points: float


def find_difference(shares: Sequence[tuple[int, int] | None]) -> Difference | None:
    """The pair of shares that differs most, if it is more than a few points and than chance.

    Chance is taken for as many comparisons as there are pairs (Bonferroni), so that one of many
    releases or days does not stand out by luck.

    Args:
        shares: (successes, trials) each; None where there is no such share.

    Returns:
        The pair; None where nothing differs.

    Example:
        >>> find_difference([(99, 100), (700, 1000), None]).lowest
        1
        >>> find_difference([(99, 100), (6, 7)]) is None
        True
    """
    known = [(place, *share) for place, share in enumerate(shares) if share and share[1]]
    pairs = len(known) * (len(known) - 1) // 2
    if not pairs:
        return None
    z = NormalDist().inv_cdf(1 - _CHANCE / pairs / 2)
    ends = {place: wilson_interval(part, of, z=z) for place, part, of in known}
    value = {place: part / of for place, part, of in known}
    differing = [
        Difference(low, high, value[high] - value[low])
        for low in value
        for high in value
        if value[high] - value[low] > _LEAST_DIFFERENCE and ends[low][1] < ends[high][0]
    ]
    return max(differing, key=lambda one: one.points, default=None)


def wilson_interval(successes: int, trials: int, *, z: float = _Z_95) -> tuple[float, float]:
    """The interval of a share, which holds for few trials and for shares near 0 and 1 as well.

    Args:
        successes: how many.
        trials: of how many, at least 1.
        z: width in standard deviations; by default that of the 95 % interval.

    Returns:
        Both ends.

    Example:
        >>> [round(end, 4) for end in wilson_interval(0, 10)]
        [0.0, 0.2775]
    """
    share = successes / trials
    center = share + z**2 / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)
