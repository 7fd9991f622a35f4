"""Orders that come more than once: what the tables and the report say of them."""

from typing import Any

import pytest

from sequen_dagster.reports.rendering import describe_repeats
from support.histories import Row, after, clicked, ordered, viewed
from support.oracle import Number
from support.replay import Load, Recording, SmallWarehouse, shared_recording

THANKS = {"items": "ab", "uid": "u", "order_total": Number("100")}
# A thank-you page that is loaded three times, and the refund.
RELOADED: list[Row] = [
    viewed(after(0), id="v", uid="u"),
    clicked(after(0.5), id="k", uid="u"),
    ordered(after(1), "o1", id="a", **THANKS),
    ordered(after(1.5), "o1", id="b", **THANKS),
    ordered(after(50), "o1", id="c", **THANKS),
    ordered(
        after(51),
        "o1",
        id="d",
        conversion_type="refund",
        **THANKS | {"order_total": Number("-100")},
    ),
]
# The same order by another person, and an id that is used for other contents.
SHARED: list[Row] = [
    ordered(after(0), "o2", id="e", uid="v"),
    ordered(after(1), "o2", id="f", uid="w"),
    ordered(after(2), "o3", "a", id="g", uid="v"),
    ordered(after(2), "o3", "b", id="h", uid="v"),
    ordered(after(3), None, id="i", uid="v"),
]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def asked(recording: Recording, query: str, *loads: Load) -> list[tuple[Any, ...]]:
    with SmallWarehouse(recording) as warehouse:
        for load in loads:
            warehouse.load(load)
        warehouse.build()
        return warehouse.connection.execute(query).fetchall()


def test_a_reloaded_page_is_one_order_and_a_refund_counts(recording: Recording) -> None:
    load = Load("a", tuple(RELOADED))
    conversions = asked(
        recording,
        "select id, is_repeat, unit_count, is_attributed, value::double"
        " from main.fct_conversions order by id",
        load,
    )
    sessions = asked(
        recording,
        "select conversion_count, is_converted, conversion_value::double"
        " from main.fct_sessions order by started_at",
        load,
    )

    assert conversions == [
        ("a", False, 2, True, 100),
        ("b", True, 0, False, 100),
        ("c", True, 0, False, 100),
        ("d", False, 2, True, -100),
    ]
    assert sessions == [(2, True, 100), (2, True, -100)]


def test_orders_are_counted_by_source_and_for_all(recording: Recording) -> None:
    counts = asked(
        recording,
        "from main.rpt_orders order by source",
        Load("a", tuple(RELOADED)),
        Load("app", (*SHARED, ordered(after(9), "o1", id="z", **THANKS)), source="app"),
    )

    assert counts == [
        ("(all)", 4, 9, 4, 1, 1),
        ("app", 3, 5, 2, 1, 1),
        ("default", 2, 4, 2, 0, 0),
    ]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((3, 0, 0, 0), []),
        (
            (999, 1, 0, 0),
            ["1 of 999 conversions that name an order repeats one (left out of all sums: 5 EUR)."],
        ),
        (
            (3, 2, 1, 2),
            [
                "2 of 3 conversions that name an order repeat one (left out of all sums: 5 EUR).",
                "1 repeat came from another visitor than the order.",
                "2 orders came with different items, values or currencies, which all count.",
            ],
        ),
    ],
)
def test_the_report_says_what_is_left_out(counts: tuple[int, ...], sentence: list[str]) -> None:
    names = ("conversions", "repeats", "repeats_by_another_visitor", "differing")
    value = [{"currency": "EUR", "conversions": 1, "value": "5.000000"}]
    orders = dict(zip(names, counts, strict=True))

    assert describe_repeats({"orders": orders, "repeated_value_by_currency": value}) == sentence


def test_values_without_a_currency_are_counted_apart() -> None:
    orders = {"conversions": 9, "repeats": 3, "repeats_by_another_visitor": 0, "differing": 0}
    values = [
        {"currency": "", "conversions": 1, "value": "1234.500000"},
        {"currency": "(other)", "conversions": 2, "value": None},
    ]

    [sentence] = describe_repeats({"orders": orders, "repeated_value_by_currency": values})

    assert "(left out of all sums: 1,234.5 without currency, 2 conversions in other" in sentence
