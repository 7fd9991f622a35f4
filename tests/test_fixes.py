"""What `rpt_fixes` promises of a fix is what comes of it: it is made, and all is built again."""

import gzip
import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.contract.codes import FILE_RULES
from sequen_dagster.home.layout import Home
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import load_settings
from support.histories import Row, after, as_json
from support.replay import (
    PROJECT,
    Load,
    Recording,
    SmallWarehouse,
    shared_recording,
    validated,
)

ON_A_PAGE = {"page_view", "module_view", "impression", "click", "dwell_time", "scroll"}
SEARCHES = {"search", "search_results", "results", "serp", "srp"}
CART_PAGES = {"cart", "basket", "checkout"}
CART_CLICKS = {"add_to_cart", "remove_from_cart", "checkout"}


def on_cart(row: Row) -> bool:
    return (
        row["type"] == "conversion"
        or row.get("click_type") in CART_CLICKS
        or (row["type"] == "page_view" and row.get("page_type") in CART_PAGES)
    )


# What a sender would add, and to which events.
SENT: dict[str, tuple[Row, Callable[[Row], bool]]] = {
    "page_id": ({"page_id": "p"}, lambda row: row["type"] in ON_A_PAGE),
    "search_query": (
        {"search_query": "q"},
        lambda row: row["type"] == "page_view" and row.get("page_type") in SEARCHES,
    ),
    "geolocation": ({"country": "US"}, lambda _: True),
    "locale/language": ({"locale": "en_US"}, lambda _: True),
    "device_type": ({"device_type": "mobile"}, lambda _: True),
    "logged_in": ({"logged_in": False}, lambda _: True),
    "dwell_time": ({"dwell_ms": 5}, lambda row: row["type"] == "page_view"),
    "referral_source": ({"referral_source": "direct"}, lambda row: row["type"] == "page_view"),
    "scroll_depth": ({"scroll_depth": 5}, lambda row: row["type"] == "scroll"),
    "cart_content": ({"cart_content": ["a"]}, on_cart),
}


@dataclass(frozen=True)
class Tiers:
    """The scores of the three tiers, and the highest reached."""

    good: float
    better: float
    best: float
    reached: str


def tiers_of(connection: duckdb.DuckDBPyConnection) -> Tiers:
    rows = connection.execute(
        "select tier, score, is_reached from rpt_completeness_tiers"
        " where source = '(all)' and period = 'recent'"
    ).fetchall()
    scores = {tier: score for tier, score, _ in rows}
    reached = [
        tier for tier in ("good", "better", "best") if (tier, scores[tier], True) in set(rows)
    ]
    return Tiers(**scores, reached=(reached or ["none"])[-1])


def promises_of(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    result = connection.execute(
        "select rpt_fixes.*, example, to_date from rpt_fixes"
        " inner join rpt_completeness_attributes using (source, period, attribute)"
        " where source = '(all)' and period = 'recent' order by fix_number"
    )
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row["attribute"]: row for row in rows}


def promised(promise: dict[str, Any]) -> Tiers:
    scores = {tier: promise[f"{tier}_score_after"] for tier in ("good", "better", "best")}
    return Tiers(**scores, reached=promise["tier_reached_after"])


def fixed(rows: Iterable[Row], promise: dict[str, Any]) -> list[Row]:
    """The events as they are once the fix is made."""
    rows = list(rows)
    if not promise["added_events"]:
        fields, applies = SENT[promise["attribute"]]
        return [{**row, **fields} if applies(row) else row for row in rows]
    example = json.loads(promise["example"])
    whole = dict(example)
    for fields, applies in SENT.values():
        whole |= {name: value for name, value in fields.items() if applies(example)}
    # Within a session that has a page_view, if there is any, and not before it; on a day of the
    # period, whose last day stays the same: one event more makes no other day count.
    last = str(promise["to_date"])
    home = max(
        (row for row in rows if row["original_timestamp"][:10] <= last),
        key=lambda row: (row["type"] == "page_view", row["original_timestamp"]),
    )
    identity = {name: home[name] for name in ("uid", "sid", "cid") if name in home}
    place = {**identity, "original_timestamp": home["original_timestamp"]}
    added = promise["added_events"]
    return [*rows, *({**whole, **place, "id": f"~{number}"} for number in range(added))]


def check_every_fix(recording: Recording, rows: list[Row], *, only: int | None = None) -> int:
    """Make each fix by itself and compare; how many there were."""
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        promises = promises_of(warehouse.connection)
        before = tiers_of(warehouse.connection)
        # The same warehouse takes every fix as the next version of the file.
        for version, promise in enumerate(list(promises.values())[:only], start=2):
            assert before.good == promise["good_score"]
            assert before.reached == promise["tier_reached"]
            warehouse.load(Load("a", tuple(fixed(rows, promise)), version))
            warehouse.build()
            assert tiers_of(warehouse.connection) == promised(promise), promise["attribute"]
            assert promise["attribute"] not in promises_of(warehouse.connection)
    return len(promises)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def at(minutes: float, **fields: Any) -> Row:
    moment = after(minutes).isoformat()
    return {"id": f"e{minutes}", "sid": "s", "original_timestamp": moment, **fields}


# Something of everything is there and something is missing.
PARTIAL = [
    at(0, type="page_view", page_type="search", page_id="x", country="US", referrer="r"),
    at(1, type="page_view", page_type="search", search_query="q", logged_in=False),
    at(2, type="page_view", page_type="cart", locale="de", device_type="mobile", dwell_ms=3),
    at(3, type="scroll", scroll_depth=3, country="US"),
    at(4, type="scroll", page_view_id="e0"),
    at(5, type="click", item_id="a", click_type="add_to_cart", cart=["a"]),
    at(6, type="page_view", sid="t", page_type="home"),
    at(7, type="conversion", conversion_type="buy", item_ids=["a"]),
]
# Neither pages nor clicks: most attributes apply to nothing.
CONVERSIONS = [
    at(number, type="conversion", conversion_type="buy", item_ids=["a"]) for number in range(3)
]


def test_first_fixes_gain_what_they_promise(recording: Recording) -> None:
    check_every_fix(recording, PARTIAL, only=2)


@pytest.mark.slow
def test_every_fix_of_partial_data_gains_what_it_promises(recording: Recording) -> None:
    assert check_every_fix(recording, PARTIAL) == 15


@pytest.mark.slow
def test_fixes_that_need_events_gain_what_they_promise(recording: Recording) -> None:
    # All but cart_content: a conversion's item_ids count for it.
    assert check_every_fix(recording, CONVERSIONS) == 14


def test_no_fix_is_left_where_every_example_is_sent(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(CONVERSIONS)))
        warehouse.build()
        found = warehouse.connection.execute(
            "select distinct example from rpt_completeness_attributes order by 1"
        ).fetchall()
        examples = [json.loads(example) for (example,) in found]
        whole = {name: value for fields, _ in SENT.values() for name, value in fields.items()}
        rows = [
            {
                **whole,
                **example,
                "id": f"x{number}",
                "sid": "s",
                "original_timestamp": after(number).isoformat(),
            }
            for number, example in enumerate(examples)
        ]
        warehouse.load(Load("a", tuple(rows), 2))
        warehouse.build()

        assert promises_of(warehouse.connection) == {}
        assert tiers_of(warehouse.connection) == Tiers(1.0, 1.0, 1.0, "best")


def test_fixable_events_are_those_without_the_field(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(PARTIAL)))
        warehouse.build()
        promises = promises_of(warehouse.connection)

    counts = {name: (one["fixable_events"], one["added_events"]) for name, one in promises.items()}
    assert counts["geolocation"] == (6, 0)
    assert counts["search_query"] == (1, 0)
    assert counts["referral_source"] == (1, 0)
    assert counts["email_campaign"] == (0, 1)
    # Four page_views of one's own, and the scroll has that of its page.
    assert counts["page_id"] == (len(PARTIAL) - 3, 0)


def test_no_attribute_reaches_a_tier_while_too_few_records_are_accepted(
    recording: Recording,
) -> None:
    whole = {"page_id": "p", "country": "US", "locale": "de", "device_type": "m", "logged_in": True}
    rows = [
        at(0, type="page_view", page_type="search", search_query="q", **whole),
        at(1, type="page_view", page_type="home", **{**whole, "country": None}),
        at(2, type="impression"),
    ]

    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        promises = promises_of(warehouse.connection)

    assert promises["geolocation"]["good_score_after"] == 1
    assert {one["tier_reached_after"] for one in promises.values()} == {"none"}


def test_fixes_are_ranked_by_the_tier_and_then_by_what_they_gain(recording: Recording) -> None:
    whole = {"page_id": "p", "country": "US", "locale": "de", "device_type": "m", "logged_in": True}
    rows = [
        at(0, type="page_view", page_type="search", search_query="q", **whole),
        at(1, type="page_view", page_type="home", **{**whole, "country": None}),
    ]
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        promises = promises_of(warehouse.connection)

    first = next(iter(promises.values()))
    assert (first["attribute"], first["tier_reached_after"]) == ("geolocation", "good")
    numbers = [one["fix_number"] for one in promises.values()]
    assert numbers == list(range(1, len(promises) + 1))


# Some break one rule, some several at once, in files of two sources.
BROKEN = [
    at(0, type="click", click_type="like", item_id="a"),
    *(at(number, type="impression", item_id="a") for number in range(1, 4)),
    *(at(number, type="impression") for number in range(4, 9)),
    at(9, type="click", item_id="a"),
    {"type": "click", "item_id": "a", "id": "e10"},
    at(11, type="dwell_time", dwell_ms=-1),
    at(12, item_id="a"),
]
WHOLE = {"rank": 1, "item_id": "a", "click_type": "like", "sid": "s"}
COUNTED = [
    ("impression", ("missing_item_id", "missing_rank"), 5),
    ("impression", ("missing_rank",), 3),
    ("(none)", ("missing_type",), 1),
    ("click", ("missing_click_type",), 1),
    ("click", ("missing_click_type", "missing_identity", "missing_original_timestamp"), 1),
    ("dwell_time", ("invalid_dwell_ms",), 1),
]


def quarantine_fixes_of(
    connection: duckdb.DuckDBPyConnection, source: str = "(all)"
) -> list[tuple[str, tuple[str, ...], int, float, float | None]]:
    rows = connection.execute(
        "select type, rules, fixable_records, accepted_share, accepted_share_after"
        " from rpt_quarantine_fixes where source = ? order by fix_number",
        [source],
    ).fetchall()
    return [(kind, tuple(rules), *others) for kind, rules, *others in rows]


def rules_broken(row: Row) -> tuple[str, ...]:
    found = validated("a", (as_json(row),), "default").quarantined_events["rules"].to_list()
    return tuple(found[0]) if found else ()


def kept_by(row: Row) -> Row:
    """The event as it keeps every rule."""
    return {**WHOLE, **at(20, type="click"), **row, "dwell_ms": 5}


def test_records_that_break_several_rules_are_a_fix_of_their_own(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(BROKEN)))
        warehouse.build()
        found = quarantine_fixes_of(warehouse.connection)

    assert [(kind, rules, records) for kind, rules, records, *_ in found] == COUNTED
    assert {share for *_, share, _ in found} == {1 / len(BROKEN)}


def test_fixes_of_quarantined_records_leave_none_out(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(BROKEN)))
        warehouse.load(Load("b", tuple(BROKEN[3:]), source="app"))
        # What was current before is in no list.
        warehouse.load(Load("c", tuple(BROKEN)))
        warehouse.load(Load("c", tuple(BROKEN[:2]), 2))
        warehouse.build()
        quarantined = dict(
            warehouse.connection.execute(
                "select coalesce(source, '(all)'), sum(quarantined)::bigint from rpt_batches"
                " where is_current group by grouping sets ((source), ())"
            ).fetchall()
        )
        listed = {
            source: sum(records for _, _, records, *_ in rows)
            for source in quarantined
            if (rows := quarantine_fixes_of(warehouse.connection, source))
        }

    assert listed == quarantined == {"default": 13, "app": 10, "(all)": 23}


def test_fix_of_quarantined_records_gains_what_it_promises(recording: Recording) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(BROKEN)))
        warehouse.build()
        promises = quarantine_fixes_of(warehouse.connection)
        for version, (kind, rules, records, _, promise) in enumerate(promises, start=2):
            rows = [
                kept_by(row)
                if (row.get("type", "(none)"), rules_broken(row)) == (kind, rules)
                else row
                for row in BROKEN
            ]
            assert sum(row not in BROKEN for row in rows) == records
            warehouse.load(Load("a", tuple(rows), version))
            warehouse.build()
            (share,) = warehouse.connection.execute(
                "select accepted_share from rpt_completeness_tiers"
                " where source = '(all)' and period = 'recent' and tier = 'good'"
            ).fetchone()
            assert share == promise, rules


def test_files_that_could_not_be_read_come_first_and_promise_no_number(
    recording: Recording,
) -> None:
    with SmallWarehouse(recording) as warehouse:
        warehouse.load(Load("a", tuple(BROKEN)))
        for path, rule, size in (
            ("b", "missing_header", 10),
            ("c", "corrupt_parquet", 30),
            ("d", "missing_header", 30),
        ):
            warehouse.load(Load(path, ({"id": path},)))
            batch = f"default/{path}/1"
            warehouse.connection.execute(
                "update raw.quarantined_events set rules = [?], type = null where batch_id = ?",
                [rule, batch],
            )
            warehouse.connection.execute(
                "update raw.batches set file_bytes = ? where batch_id = ?", [size, batch]
            )
        warehouse.build()
        found = warehouse.connection.execute(
            "select rules, fixable_records, unread_files, unread_bytes, accepted_share_after,"
            " is_accepted_share_met_after from rpt_quarantine_fixes where source = '(all)'"
            " order by fix_number limit 3"
        ).fetchall()

    assert found[:2] == [
        (["missing_header"], 2, 2, 40, None, None),
        (["corrupt_parquet"], 1, 1, 30, None, None),
    ]
    assert found[2][:4] == (["missing_item_id", "missing_rank"], 5, 0, 0)


def test_rules_of_files_are_those_of_the_contract() -> None:
    macros = (PROJECT / "macros" / "rules.sql").read_text(encoding="utf-8")
    macro = macros.partition("macro is_file_rule")[2].partition("endmacro")[0]

    assert sorted(re.findall(r"'(\w+)'", macro)) == sorted(FILE_RULES)


def random_rows(seed: int) -> list[Row]:
    dice = random.Random(seed)
    rows = []
    for number in range(dice.randint(2, 25)):
        row: Row = {
            "id": f"e{number}",
            "sid": dice.choice("stuv"),
            "original_timestamp": (after(0) + timedelta(hours=dice.randint(0, 80))).isoformat(),
            "type": dice.choice(sorted({*ON_A_PAGE, "conversion", "login"})),
        }
        if row["type"] in ("impression", "click"):
            row |= {"item_id": "a", "rank": 1}
        if row["type"] == "module_view":
            row["rank"] = 1
        if row["type"] == "click":
            row["click_type"] = dice.choice(["like", "review", "add_to_cart", "outbound"])
        if row["type"] == "page_view":
            row["page_type"] = dice.choice(["home", "search", "cart", "serp"])
        if row["type"] == "conversion":
            row |= {"conversion_type": "buy", "item_ids": ["a"]}
        if row["type"] == "dwell_time":
            row |= {"dwell_ms": 5, "page_view_id": f"e{dice.randint(0, 25)}"}
        for fields, applies in SENT.values():
            if applies(row) and dice.random() < 0.8:
                row |= fields
        rows.append(row)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_every_fix_of_random_data_gains_what_it_promises(recording: Recording, seed: int) -> None:
    assert check_every_fix(recording, random_rows(seed)) > 0


def rows_of(folder: Path) -> list[Row]:
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ecommerce", "two_batch"])
def test_every_fix_of_a_real_set_gains_what_it_promises(
    recording: Recording, test_data: Path, name: str
) -> None:
    assert check_every_fix(recording, rows_of(test_data / name)) > 5


@pytest.mark.slow
def test_fix_in_the_files_themselves_gains_what_the_report_says(
    test_data: Path, tmp_path: Path
) -> None:
    rows = rows_of(test_data / "ecommerce")
    exports = tmp_path / "exports"
    exports.mkdir()
    settings = load_settings(tmp_path, home="home", exports=exports)
    (exports / "events.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    report = run_pipeline(settings).summary
    fix = next(fix for fix in report["fixes"] if fix["source"] == "(all)" and fix["fixable_events"])
    fixed_rows = fixed(rows, {**fix, "example": json.dumps(fix["example"])})
    (exports / "events.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in fixed_rows))

    outcome = run_pipeline(settings)

    assert outcome.failures == ()
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        assert tiers_of(snapshot) == promised(fix)
