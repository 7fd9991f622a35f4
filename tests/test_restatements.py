"""What a publication changed in what was published before."""

from decimal import Decimal

import pytest

from support.histories import Row, after, clicked, event, purchase
from support.oracle import Number
from support.replay import Load, Recording, SmallWarehouse, shared_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def load(path: str, *rows: Row, version: int = 1) -> Load:
    return Load(path, rows, version)


def publish(
    warehouse: SmallWarehouse, number: int, *loads: Load, is_finished: bool = True
) -> list[Row]:
    """Load, build, and give the rows of the history."""
    connection = warehouse.connection
    for one in loads:
        warehouse.load(one)
    connection.execute(
        "insert into raw.builds (build_number, is_full, is_finished) values (?, ?, false)",
        [number, not warehouse.is_built],
    )
    if is_finished:
        warehouse.build()
        connection.execute(
            "update raw.builds set is_finished = true where build_number = ?", [number]
        )
    else:
        warehouse.build(failing="rpt_batches")
    found = connection.execute("select * from rpt_restatements order by publication")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


NOTHING = {
    "is_full_refresh": False,
    "sessions_created": 0,
    "sessions_extended": 0,
    "sessions_reduced": 0,
    "sessions_merged": 0,
    "sessions_removed": 0,
    "attributions_moved": 0,
    "value_moved": Decimal(0),
    "is_mixed_currency": False,
}
BOUGHT = purchase(after(100), ["a"], id="buy", uid="w", order_total=Number("8"), currency="EUR")


def test_full_refresh_compares_nothing(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        (row,) = publish(warehouse, 1, load("a", event(after(0), uid="u")))

    assert row == {
        "publication": 1,
        **dict.fromkeys(NOTHING),
        "is_full_refresh": True,
        "is_mixed_currency": False,
    }


def test_sessions_are_created_extended_merged_and_removed(recording: Recording) -> None:
    old = [event(after(0), id="a", uid="u"), event(after(50), id="b", uid="u")]
    with SmallWarehouse(recording) as warehouse:
        publish(warehouse, 1, load("a", *old), load("b", event(after(0), id="c", uid="v")))

        # 25 minutes from either: the later session of u falls to the earlier one.
        rows = publish(
            warehouse,
            2,
            load("c", event(after(25), id="d", uid="u"), event(after(0), id="e", uid="x")),
            load("b", event(after(9000), id="f", uid="v"), version=2),
        )

    assert rows[1] == {
        "publication": 2,
        **NOTHING,
        "sessions_created": 2,
        "sessions_extended": 1,
        "sessions_merged": 1,
        "sessions_removed": 1,
    }


def test_touch_that_arrives_late_moves_value(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        publish(warehouse, 1, load("a", clicked(after(1), "a", id="k1", uid="w"), BOUGHT))

        rows = publish(warehouse, 2, load("b", clicked(after(2), "a", id="k2", uid="w")))
        rows = publish(warehouse, 3)

    assert (rows[1]["attributions_moved"], rows[1]["value_moved"]) == (1, Decimal(8))
    assert rows[2] == {"publication": 3, **NOTHING}


def test_build_that_breaks_off_is_reported_once_by_the_next(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        publish(warehouse, 1, load("a", event(after(0), id="a", uid="u")))
        publish(warehouse, 2, load("b", event(after(0), id="b", uid="v")), is_finished=False)

        rows = publish(warehouse, 3, load("c", event(after(0), id="c", uid="w")))

    assert [row["publication"] for row in rows] == [1, 3]
    assert rows[1] == {"publication": 3, **NOTHING, "sessions_created": 2}


def test_change_that_was_taken_back_counts_for_nothing(recording: Recording) -> None:
    first = load("a", event(after(0), id="a", uid="u"))
    with SmallWarehouse(recording) as warehouse:
        publish(warehouse, 1, first)
        publish(
            warehouse, 2, load("a", event(after(0), id="a", uid="v"), version=2), is_finished=False
        )

        rows = publish(warehouse, 3, load("a", event(after(0), id="a", uid="u"), version=3))

    assert rows[1] == {"publication": 3, **NOTHING}


def test_build_by_hand_leaves_the_history_as_it_is(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        published = publish(warehouse, 1, load("a", event(after(0), uid="u")))
        warehouse.load(load("b", event(after(5), uid="u")))
        warehouse.build()
        left = warehouse.connection.sql("select publication from rpt_restatements").fetchall()

    assert left == [(row["publication"],) for row in published] == [(1,)]
