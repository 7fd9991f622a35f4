"""Tables of the docs that the benches decide: `make docs` writes them.

In: `benchmarks/measured.jsonl`. Out: how each target stood first and stands now, for
`docs/benchmarks.md`; and what each size needs, for `docs/sizing.md`. What is measured and recorded
is a row.
"""

from collections.abc import Sequence
from statistics import linear_regression
from typing import Final

from benchmarks.batches import HISTORY
from benchmarks.cases import Case, sized
from benchmarks.records import Measurement, newest_cases, read_measurements
from benchmarks.targets import TARGETS, Comparison, Target, compare, format_reached
from benchmarks.throughput import NEW_HOME

_GIB: Final = 1024
_PLACES: Final = ("exports", "lake", "warehouse", "published")


def render_targets() -> str:
    """Each target that was measured: how it stood first, and how it stands now."""
    first: dict[Target, Comparison] = {}
    newest: dict[Target, Comparison] = {}
    for measurement in read_measurements():
        for comparison in compare(measurement.cases):
            first.setdefault(comparison.target, comparison)
            newest[comparison.target] = comparison
    rows = [
        (
            target.case,
            target.reference or "none",
            format_reached(first[target].reached, target),
            format_reached(newest[target].reached, target),
            format_reached(target.aim, target),
            "met" if newest[target].is_met else "missed",
        )
        for target in TARGETS
        if target in newest
    ]
    return _table(("case", "reference", "first", "now", "aim", ""), rows)


def render_sizes() -> str:
    """What each size that was measured last took on a new home."""
    rows = [
        (
            f"{case.events:,}",
            f"{case.median('cpu_seconds'):,.0f}",
            f"{case.median('peak_mib') / _GIB:.1f}",
            *(f"{case.disk_mib[place] / _GIB:.2f}" for place in _PLACES),
            f"`{measurement.commit}`",
        )
        for measurement, case in sized_cases(read_measurements())
    ]
    head = (
        "events", "CPU s", "peak GiB", "exports GiB", "lake GiB", "warehouse GiB", "published GiB",
        "commit",
    )  # fmt: skip
    return _table(head, rows)


def render_fit() -> str:
    """The lines that the sizes lie on: of CPU time, and of each place on the disk."""
    cases = [case for _, case in sized_cases(read_measurements())]
    millions = [case.events / 1e6 for case in cases]
    measured = {"CPU seconds": [case.median("cpu_seconds") for case in cases]}
    for place in _PLACES:
        measured[f"{place}, MiB"] = [case.disk_mib[place] for case in cases]
    rows = []
    for what, figures in measured.items():
        line = linear_regression(millions, figures)
        rows.append((what, f"{max(line.intercept, 0):,.0f}", f"{line.slope:,.0f}"))
    return _table(("what", "fixed", "a million events"), rows)


def sized_cases(measurements: Sequence[Measurement]) -> list[tuple[Measurement, Case]]:
    """New homes by size; a size that was measured both ways is that of the throughput bench."""
    newest = newest_cases(measurements)
    found: dict[int, tuple[Measurement, Case]] = {}
    for measurement, case in newest.values():
        is_first = case.name == sized(NEW_HOME, case.events)
        is_second = case.name == sized(HISTORY, case.events)
        if is_first or (is_second and case.events not in found):
            found[case.events] = (measurement, case)
    return [found[events] for events in sorted(found)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
