"""Which shares differ by more than a few points and by more than chance."""

import random

from sequen_dagster.reports.differences import Difference, find_difference


def test_shares_of_many_events_that_are_apart_differ() -> None:
    assert find_difference([(900, 1_000), (700, 1_000), (890, 1_000)]) == Difference(
        lowest=1, highest=0, points=0.9 - 0.7
    )


def test_what_chance_explains_does_not_differ() -> None:
    assert find_difference([(9, 10), (7, 10)]) is None
    assert find_difference([(1, 1), (0, 1)]) is None


def test_less_than_a_few_points_does_not_differ_however_sure_it_is() -> None:
    assert find_difference([(970_001, 1_000_000), (1_000_000, 1_000_000)]) is None
    assert find_difference([(969_999, 1_000_000), (1_000_000, 1_000_000)]) is not None


def test_columns_without_events_are_passed_over() -> None:
    assert find_difference([]) is None
    assert find_difference([None, (5, 10), (0, 0)]) is None
    found = find_difference([None, (0, 500), (500, 500)])
    assert found == Difference(lowest=1, highest=2, points=1.0)


def test_a_quarter_of_days_with_one_coverage_does_not_stand_out_by_luck() -> None:
    chance = random.Random(7)

    for _ in range(20):
        days = [(sum(chance.random() < 0.5 for _ in range(200)), 200) for _ in range(92)]
        assert find_difference(days) is None
