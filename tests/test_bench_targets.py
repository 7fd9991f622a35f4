"""Cases of the benches: medians, ratios, the table of targets, and the record of runs."""

from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHES, parse_arguments
from benchmarks.batches import HISTORY
from benchmarks.cases import Case, sized
from benchmarks.pages import sized_cases
from benchmarks.processes import Usage
from benchmarks.records import (
    RECORD,
    Measurement,
    append_measurement,
    machine_facts,
    newest_cases,
    read_measurements,
)
from benchmarks.targets import TARGETS, Comparison, Target, cases_table, compare, comparisons_table
from benchmarks.throughput import BARE_READ, EMPTY_LAKE, LAKE_ALONE, NEW_HOME

MILLION = 1_000_000


def case(name: str, *rounds: tuple[float, float, float], events: int = 0) -> Case:
    return Case(name, events, tuple(Usage(*one) for one in rounds))


def test_figures_are_medians_of_the_rounds() -> None:
    one = case("a", (1, 10, 100), (9, 90, 900), (2, 20, 200))

    assert one.median("seconds") == 2
    assert one.median("cpu_seconds") == 20
    assert one.median("peak_mib") == 200


def test_ratio_is_the_median_of_the_ratios_of_rounds_in_turn() -> None:
    ours = case("a", (10, 1, 1), (30, 1, 1), (8, 1, 1))
    reference = case("b", (5, 1, 1), (10, 1, 1), (8, 1, 1))

    # 2, 3 and 1; the medians alone would give 10 / 8.
    assert ours.ratio(reference, "seconds") == 2


def test_a_ratio_of_unequal_rounds_is_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        case("a", (1, 1, 1)).ratio(case("b", (1, 1, 1), (1, 1, 1)), "seconds")


def test_cases_stand_to_the_targets_whose_reference_was_measured() -> None:
    cases = [
        case(sized(NEW_HOME, MILLION), (32, 80, 3000), events=MILLION),
        case(sized(BARE_READ, MILLION), (2, 4, 500), events=MILLION),
        case(sized(LAKE_ALONE, MILLION), (9, 13.5, 900), events=MILLION),
        case(sized(EMPTY_LAKE, MILLION), (1, 1.5, 100)),
        # Its reference, the short history, is missing.
        case("a batch of 50,000 on a history, 5,000,000 events", (60, 70, 2000)),
        case("not aimed at", (1, 1, 1)),
    ]

    assert [
        (one.target.case, one.target.measure, one.figure, one.reference, one.reached, one.is_met)
        for one in compare(cases)
    ] == [
        (sized(LAKE_ALONE, MILLION), "us a record", 13.5, 1.5, 12.0, False),
        (sized(NEW_HOME, MILLION), "seconds", 32, 2, 16, True),
        (sized(NEW_HOME, MILLION), "peak_mib", 3000, None, 3000, False),
    ]


def test_comparisons_are_a_table() -> None:
    comparisons = [
        Comparison(Target("a", "seconds", 16, "b"), 30.04, 2, 15.02, 20),
        Comparison(Target("c", "peak_mib", 2048), 2500, None, 2500),
        Comparison(Target("d", "us a record", 9, "e"), 13.5, 1.5, 12, 9),
    ]

    assert comparisons_table(comparisons).splitlines()[2:] == [
        "| a | 30.0 s | b | 2.0 s | 15.02 x | 20.00 x | 16.00 x | met |",
        "| c | 2,500.0 MiB | none |  | 2,500 MiB |  | 2,048 MiB | missed |",
        "| d | 13.5 s CPU | e | 1.5 s CPU | 12.0 us a record | 9.00 x | 9.0 us a record | missed |",
    ]


def test_all_figures_are_a_table_with_stages_and_nodes_below() -> None:
    one = Case(
        "a", 1000, (Usage(2, 3, 400, {"dbt": 150, "main": 250}),), {"lake": 1.5}, {"fct_events": 1}
    )

    assert cases_table([one]).splitlines()[2:] == [
        "| a | 2.00 | 3.00 | 500 | 400 | dbt 150, main 250 |",
        "",
        "a, stages: lake 1.5 s",
        "",
        "a, nodes: fct_events 1.0 s",
    ]


def test_each_target_has_a_case_and_a_figure_of_its_own() -> None:
    keys = [(target.case, target.measure) for target in TARGETS]

    assert len(set(keys)) == len(keys)
    assert all(target.case != target.reference and target.aim > 0 for target in TARGETS)


def test_a_measurement_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = tmp_path / "measured.jsonl"
    first = Measurement("2026-11-30T06:00:00", "abc", {"cores": 2}, (case("a", (1, 2, 3)),))
    full = Case("a", 5, (Usage(1, 2, 3, {"main": 3}),), {"lake": 1}, {"m": 2}, {"home": 4})
    second = Measurement("2026-11-30T07:00:00", "abd", {"cores": 2}, (full, case("b", (4, 5, 6))))

    assert read_measurements(record) == []
    append_measurement(first, record)
    append_measurement(second, record)

    assert read_measurements(record) == [first, second]
    assert newest_cases([first, second]) == {"a": (second, full), "b": (second, second.cases[1])}


def test_a_size_is_that_of_the_throughput_bench_before_that_of_a_history() -> None:
    def run(day: str, *names: tuple[str, int]) -> Measurement:
        cases = tuple(case(sized(name, n), (1, 1, 1), events=n) for name, n in names)
        return Measurement(day, "abc", {}, cases)

    first = run("1", (NEW_HOME, 2000), (NEW_HOME, 1000), (BARE_READ, 3000))
    second = run("2", (HISTORY, 1000), (HISTORY, 4000), (NEW_HOME, 2000))

    assert [(one.measured_at, found.name) for one, found in sized_cases([first, second])] == [
        ("1", "new home, 1,000 events"),
        ("2", "new home, 2,000 events"),
        ("2", "history taken in at once, 4,000 events"),
    ]


def test_figures_on_record_have_three_decimals() -> None:
    assert case("a", (1.23456, 2, 3)).to_json()["rounds"][0]["seconds"] == 1.235


def test_a_measurement_names_its_commit_and_its_machine() -> None:
    measurement = Measurement.of([])

    assert measurement.commit
    assert measurement.machine == machine_facts() | {"load": measurement.machine["load"]}
    assert {"cores", "memory_gib", "python", "duckdb"} <= set(measurement.machine)


def test_the_record_of_this_project_is_readable() -> None:
    measurements = read_measurements(RECORD)

    assert measurements
    assert [one.measured_at for one in measurements] == sorted(
        one.measured_at for one in measurements
    )


def test_each_bench_can_be_run_alone() -> None:
    assert parse_arguments([]).only == list(BENCHES)
    assert parse_arguments(["--only", "fixed"]).only == ["fixed"]
