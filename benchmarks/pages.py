"""Tables of the docs that the benches decide: `make docs` writes them.

In: `benchmarks/measured.jsonl`. Out: how each target stood first and stands now, as a table and as
a picture, for `docs/benchmarks.md`; and what each size needs, for `docs/sizing.md`. What is
measured and recorded is a row.
"""

from collections.abc import Sequence
from statistics import linear_regression
from typing import Final

import altair as alt
import vl_convert

from benchmarks.batches import HISTORY
from benchmarks.cases import Case, sized
from benchmarks.records import Measurement, newest_cases, read_measurements
from benchmarks.targets import TARGETS, Comparison, Target, compare, format_reached
from benchmarks.throughput import NEW_HOME

_GIB: Final = 1024
# Targets keep their order by a number, which is not shown.
_NAME: Final = "substring(datum.label, 3)"
_PLACES: Final = ("exports", "lake", "warehouse", "published")


def render_targets() -> str:
    """Each target that was measured: how it stood first, and how it stands now."""
    rows = [
        (
            now.target.case,
            now.target.reference or "none",
            format_reached(first.reached, first.target),
            format_reached(now.reached, now.target),
            format_reached(now.target.aim, now.target),
            "met" if now.is_met else "missed",
        )
        for first, now in zip(*_by_state().values(), strict=True)
    ]
    return _table(("case", "reference", "first", "now", "aim", ""), rows)


def draw_targets() -> str:
    """All records of each target as a picture (SVG): how many times its aim each one takes."""
    rows = [
        {
            "target": f"{number:02} {_label(comparison.target)}",
            "times": comparison.reached / comparison.target.aim,
            "state": state,
        }
        for state, found in _by_state().items()
        for number, comparison in enumerate(found)
    ]
    names = alt.Y("target:N", title=None, axis=alt.Axis(labelLimit=420, labelExpr=_NAME))
    times = alt.X("times:Q", title="times the aim", scale=alt.Scale(type="log"))
    color = alt.Color("state:N", title=None, sort=["first", "now"])
    points = alt.Chart().mark_point(filled=True, size=70).encode(names, times, color)
    aim = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(1))
    chart = alt.layer(aim, points, data=alt.Data(values=rows)).properties(width=420)
    return vl_convert.vegalite_to_svg(chart.to_dict())


def _by_state() -> dict[str, list[Comparison]]:
    """The first and the newest comparison of each target that was measured, in their order."""
    first: dict[Target, Comparison] = {}
    newest: dict[Target, Comparison] = {}
    for measurement in read_measurements():
        for comparison in compare(measurement.cases):
            first.setdefault(comparison.target, comparison)
            newest[comparison.target] = comparison
    measured = [target for target in TARGETS if target in newest]
    return {
        "first": [first[target] for target in measured],
        "now": [newest[target] for target in measured],
    }


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


def _label(target: Target) -> str:
    return f"{target.case}, memory" if target.measure == "peak_mib" else target.case


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
