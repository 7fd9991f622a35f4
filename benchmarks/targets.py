"""What each bench is to reach: the one table of targets, and how measured cases stand to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks import batches, fixed, listing, refresh, script, throughput
from benchmarks.cases import Case, Figure, sized

# `us a record`: CPU time beyond that of the reference, by record. Without a reference the figure
# itself is aimed at.
Measure = Figure | Literal["us a record"]

_SHORT: Final = {1_000_000: "1 M", 5_000_000: "5 M", 20_000_000: "20 M"}
_UNITS: Final[Mapping[Measure, str]] = {
    "seconds": " s",
    "cpu_seconds": " s CPU",
    "peak_mib": " MiB",
    "us a record": " us",
}


@dataclass(frozen=True)
class Target:
    """What one case is to reach.

    Attributes:
        case: its name.
        measure: which figure counts.
        aim: most that the figure over that of the reference may be; without a reference, or by
            record, most that it may be itself.
        reference: name of the case it is measured beside; empty where there is none.
    """

    case: str
    measure: Measure
    aim: float
    reference: str = ""


# Starts are one process at work, so their CPU time says the same on a machine that is shared.
TARGETS: Final = (
    Target(fixed.NOTHING_NEW, "cpu_seconds", 2.0, fixed.IMPORTS),
    Target(fixed.SMALL_BATCH, "cpu_seconds", 4.5, fixed.DBT_VERSION),
    Target(fixed.FIRST_RUN, "cpu_seconds", 8.0, fixed.DBT_VERSION),
    Target(fixed.COLD_DEFINITIONS, "cpu_seconds", 1.5, fixed.IMPORTS),
    Target(fixed.WARM_DEFINITIONS, "cpu_seconds", 1.5, fixed.IMPORTS),
    *(
        Target(
            sized(throughput.LAKE_ALONE, events),
            "us a record",
            11.0,
            sized(throughput.EMPTY_LAKE, events),
        )
        for events in _SHORT
    ),
    *(
        Target(
            sized(throughput.NEW_HOME, events), "seconds", aim, sized(throughput.BARE_READ, events)
        )
        for events, aim in ((1_000_000, 16.0), (5_000_000, 12.0))
    ),
    *(Target(sized(throughput.NEW_HOME, events), "peak_mib", 2048.0) for events in _SHORT),
    *(
        Target(sized(case, long), "seconds", 1.3, sized(case, short))
        for short, long in ((500_000, 5_000_000), (200_000, 20_000_000))
        for case in (batches.BATCH, batches.NOTHING_NEW)
    ),
    Target(sized(batches.HISTORY, 20_000_000), "peak_mib", 2048.0),
    Target(
        sized(refresh.FULL_REFRESH, 5_000_000),
        "seconds",
        1.2,
        sized(refresh.PLAIN_SQL, 5_000_000),
    ),
    Target(listing.NONE_NEW, "cpu_seconds", 3.0, listing.SCAN),
    Target(sized(script.BESIDE_SCRIPT, 1_000_000), "seconds", 0.1, sized(script.SCRIPT, 1_000_000)),
    Target(
        sized(script.BESIDE_SCRIPT, 1_000_000), "peak_mib", 0.2, sized(script.SCRIPT, 1_000_000)
    ),
)


@dataclass(frozen=True)
class Comparison:
    """How a case stands to its target.

    Attributes:
        target: the target.
        figure: what was measured of the case, median of the rounds.
        reference: the same of the reference; None where there is none.
        reached: what is compared with the aim.
        cpu_ratio: CPU time over that of the reference, which a busy machine changes least; None
            without a reference.
    """

    target: Target
    figure: float
    reference: float | None
    reached: float
    cpu_ratio: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the aim is reached."""
        return self.reached <= self.target.aim


def compare(cases: Iterable[Case]) -> list[Comparison]:
    """Compare cases with the targets of which both sides were measured, in the targets' order."""
    by_name = {case.name: case for case in cases}
    return [
        _compare_case(target, by_name[target.case], by_name.get(target.reference))
        for target in TARGETS
        if target.case in by_name and (not target.reference or target.reference in by_name)
    ]


def comparisons_table(comparisons: Iterable[Comparison]) -> str:
    """How cases stand to their targets, as a Markdown table."""
    lines = [
        "| case | figure | reference | its figure | reached | in CPU time | aim | |",
        "|---|---:|---|---:|---:|---:|---:|---|",
    ]
    for one in comparisons:
        target = one.target
        unit = _unit_of(target.measure)
        beside = "" if one.reference is None else f"{one.reference:,.1f}{unit}"
        cpu = "" if one.cpu_ratio is None else f"{one.cpu_ratio:,.2f} x"
        reached, aim = (format_reached(value, target) for value in (one.reached, target.aim))
        lines.append(
            f"| {target.case} | {one.figure:,.1f}{unit} | {target.reference or 'none'} | {beside} "
            f"| {reached} | {cpu} | {aim} "
            f"| {'met' if one.is_met else 'missed'} |"
        )
    return "\n".join(lines)


def cases_table(cases: Iterable[Case]) -> str:
    """All figures of cases as a Markdown table, with stages and nodes below."""
    rows = list(cases)
    lines = [
        "| case | seconds | CPU seconds | events/s | peak MiB | of it |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for case in rows:
        kinds = case.rounds[0].peak_mib_by_process
        seconds = case.median("seconds")
        lines.append(
            f"| {case.name} | {seconds:,.2f} | {case.median('cpu_seconds'):,.2f} "
            f"| {f'{case.events / seconds:,.0f}' if case.events else ''} "
            f"| {case.median('peak_mib'):,.0f} "
            f"| {', '.join(f'{kind} {size:,.0f}' for kind, size in kinds.items())} |"
        )
    for case in rows:
        for what, times in (("stages", case.seconds_by_stage), ("nodes", case.seconds_by_node)):
            if times:
                listed = ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in times.items())
                lines.append(f"\n{case.name}, {what}: {listed}")
    return "\n".join(lines)


def format_reached(value: float, target: Target) -> str:
    """A figure as it is compared with the aim: a ratio, or with its unit."""
    if target.measure == "us a record":
        return f"{value:,.1f} us a record"
    if target.reference:
        return f"{value:,.2f} x"
    return f"{value:,.0f}{_unit_of(target.measure)}"


def _compare_case(target: Target, case: Case, reference: Case | None) -> Comparison:
    figure = _figure_of(target.measure)
    own = case.median(figure)
    if reference is None:
        return Comparison(target, own, None, own)
    other = reference.median(figure)
    if target.measure == "us a record":
        reached = (own - other) / case.events * 1e6
    else:
        reached = case.ratio(reference, figure)
    return Comparison(target, own, other, reached, case.ratio(reference, "cpu_seconds"))


def _figure_of(measure: Measure) -> Figure:
    return "cpu_seconds" if measure == "us a record" else measure


def _unit_of(measure: Measure) -> str:
    return _UNITS[_figure_of(measure)]
