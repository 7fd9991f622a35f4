"""A case of a bench: what was measured in every round, and how two cases compare.

Rounds of a case and of its reference take turns, so that a slow minute of the machine hits both;
a ratio is the median of the ratios of the rounds.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from benchmarks.processes import Usage

Figure = Literal["seconds", "cpu_seconds", "peak_mib"]


@dataclass(frozen=True)
class Case:
    """What one case took.

    Attributes:
        name: says what was done, with its size.
        events: how many events were read or added; 0 where none were.
        rounds: what each round took.
        seconds_by_stage: of a run of the main job the median wall time of each stage.
        seconds_by_node: the ten models and tests of dbt that took longest, medians.
        disk_mib: what lies on disk afterwards, by its place.
    """

    name: str
    events: int
    rounds: tuple[Usage, ...]
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)
    seconds_by_node: Mapping[str, float] = field(default_factory=dict)
    disk_mib: Mapping[str, float] = field(default_factory=dict)

    def median(self, figure: Figure) -> float:
        """The median of the rounds."""
        return statistics.median(getattr(one, figure) for one in self.rounds)

    def ratio(self, reference: "Case", figure: Figure) -> float:
        """The median over the rounds of this figure over that of the reference.

        Example:
            >>> ours, theirs = (Case("", 0, (Usage(seconds, 0, 0),)) for seconds in (6, 2))
            >>> ours.ratio(theirs, "seconds")
            3.0
        """
        pairs = zip(self.rounds, reference.rounds, strict=True)
        return statistics.median(
            getattr(own, figure) / getattr(other, figure) for own, other in pairs
        )

    def to_json(self) -> dict[str, Any]:
        """Figures rounded to what is known of them."""
        return _rounded(asdict(self))

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**{**given, "rounds": tuple(Usage(**one) for one in given["rounds"])})


def medians_by_name(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each name over the rounds that have it.

    Example:
        >>> medians_by_name([{"lake": 1.0}, {"lake": 3.0, "marts": 5.0}])
        {'lake': 2.0, 'marts': 5.0}
    """
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: statistics.median(one[name] for one in rounds if name in one) for name in names}


def sized(what: str, events: int) -> str:
    """The name of a case with its size.

    Example:
        >>> sized("new home", 1_000_000)
        'new home, 1,000,000 events'
    """
    return f"{what}, {events:,} events"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
