"""Histories that are hard to get right: made by hand, and at random over few ids and times."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from support import builders
from support.oracle import ExportFile, Number

START = datetime.fromisoformat("2024-05-01T10:00:00")
RECEIVED_AT = datetime.fromisoformat("2024-06-01T00:00:00")
Row = dict[str, Any]


def as_json(value: Any) -> str:  # any JSON value
    """Write JSON with every number as it was written."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{as_json(k)}:{as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def event(at: datetime, **fields: Any) -> Row:
    """Make an event of a time, without an id and a person unless they are given."""
    row = {"id": ..., "uid": ..., "original_timestamp": at.isoformat(), **fields}
    return builders.event("scroll", **row)


def after(minutes: float = 0, *, days: float = 0, micros: int = 0) -> datetime:
    return START + timedelta(days=days, minutes=minutes, microseconds=micros)


def purchase(at: datetime, items: list[str], **fields: Any) -> Row:
    return event(
        at, **{"type": "conversion", "conversion_type": "buy", "item_ids": items, **fields}
    )


def shown(at: datetime, item: str = "a", **fields: Any) -> Row:
    return event(at, type="impression", item_id=item, rank=1, **fields)


def clicked(at: datetime, item: str = "a", **fields: Any) -> Row:
    return event(at, type="click", item_id=item, click_type="like", **fields)


def viewed(at: datetime, **fields: Any) -> Row:
    return event(at, type="page_view", **{"page_type": "home", **fields})


def ordered(at: datetime, order_id: Any, items: str = "a", **fields: Any) -> Row:
    """A conversion that names an order."""
    order = {"cid": "c", "order_id": order_id, "order_total": Number("5"), "currency": "EUR"}
    return purchase(at, list(items), **order | fields)


HISTORIES: dict[str, list[Row]] = {
    "a device of as many users as may be, and one of one more": [
        *[
            event(after(n), cid=cid, sid=f"{cid}{n}", uid=f"u{n}")
            for cid, users in (("home", 20), ("kiosk", 21))
            for n in range(users)
        ],
        *[event(after(days=1), cid=cid) for cid in ("home", "kiosk")],
        *[event(after(days=1), cid=cid, sid=sid) for cid in ("home", "kiosk") for sid in "st"],
        *[clicked(after(50), cid=cid, sid="kiosk3") for cid in ("home", "kiosk", "other")],
        event(after(51), sid="kiosk20"),
    ],
    "a session id of as many users or devices as may be, and of one more": [
        *[
            event(after(n), sid=f"{kind}{count}", **{kind: f"{kind}{n}"})
            for kind in ("uid", "cid")
            for count in (20, 21)
            for n in range(count)
        ],
        *[event(after(40), sid=sid) for sid in ("uid20", "uid21", "cid20", "cid21")],
        *[event(after(41), sid=sid, uid="u") for sid in ("cid20", "cid21")],
        *[event(after(42), sid=sid, cid="cid3") for sid in ("cid20", "cid21")],
    ],
    "devices of two and of three users": [
        *[event(after(n), cid="two", uid=f"u{n % 2}") for n in range(3)],
        *[event(after(n), cid="three", uid=f"u{n % 3}") for n in range(4)],
        *[event(after(n), sid="one", uid="u1", cid=f"c{n % 3}") for n in range(3)],
        *[event(after(9), cid=cid, sid=sid) for cid in ("two", "three") for sid in ("one", "s")],
        *[event(after(9), cid=cid) for cid in ("two", "three")],
        event(after(9), sid="one"),
    ],
    "one order sent again, by others and in other spellings": [
        clicked(after(-1), cid="c"),
        clicked(after(-1), cid="d", uid="u"),
        ordered(after(5), "1001", id="second"),
        ordered(after(5), Number("1001"), id="first", sid="s"),
        ordered(after(9), "1001", cid="d", uid="u"),
        ordered(after(9), " 1001"),
        ordered(after(9), Number("1001.0")),
        ordered(after(9), Number("1001"), order_total="5.000"),
        ordered(after(days=29), "1001", sid="t"),
    ],
    "orders that share an id and are others": [
        *[ordered(after(n), "o", items, sid="s") for n, items in enumerate(["ab", "ba", "abb"])],
        *[
            ordered(after(n), "o", "ab", order_total=v)
            for n, v in enumerate(["-5", "6", "x", None])
        ],
        *[ordered(after(n), "o", "ab", currency=c) for n, c in enumerate(["USD", None, "n/a", ""])],
        ordered(after(8), "o", "ab", conversion_type="refund"),
        ordered(after(9), "o", "ab", order_total="y"),
        ordered(after(9), "o", "ab", order_total=None),
    ],
    "what is not an order": [
        *[
            ordered(after(n), value, sid=sid)
            for sid in "st"
            for n, value in enumerate(
                [
                    None,
                    "",
                    " ",
                    "null",
                    "N/A",
                    "Guest",
                    "0",
                    Number("0"),
                    Number("-1"),
                    True,
                    False,
                    [Number("1")],
                    {"a": "b"},
                    [],
                    {},
                    "(not set)",
                    "[object Object]",
                    "UNKNOWN",
                ]
            )
        ],
        ordered(after(50), "null", context={"order_id": "real"}),
        ordered(after(51), "real"),
    ],
    "repeats leave the sums and their currency": [
        ordered(after(0), "a", cid="c", sid="s"),
        ordered(after(1), "b", cid="c", sid="s", currency="USD", order_total="1"),
        ordered(after(-9), "b", cid="d", sid="t", currency="USD", order_total="1"),
        ordered(after(2), "a", cid="d", sid="u"),
    ],
    "fields that lie elsewhere": [
        purchase(after(0), ["a"], cid="c", properties={"order_id": "7", "order_total": "3"}),
        purchase(after(1), ["a"], cid="c", context={"order_id": Number("7"), "order_total": "3"}),
        purchase(after(2), ["a"], cid="c", traits='{"order_id":7,"order_total":3.0}'),
        purchase(after(3), ["a"], cid="c", order_total="n/a", properties={"order_total": "4"}),
        purchase(after(4), ["a"], cid="c", order_total="x", properties={"order_total": "4"}),
        purchase(after(5), ["a"], cid="c", currency=Number("1"), context={"currency": "EUR"}),
        purchase(after(6), ["a"], cid="c", currency="[]", context={"currency": "EUR"}),
        purchase(after(7), ["a"], cid="c", order={"no": "8", "sum": "1"}),
        purchase(after(8), ["a"], cid="c", **{"order.no": "8", "order": '{"sum":"1","no":"9"}'}),
        purchase(
            after(9), ["a"], cid="c", context={"order.sum": "1", "order": {"no": Number("8")}}
        ),
        viewed(after(0), id="p", cid="c"),
        event(after(1), cid="c", page_view_id="p", properties={"depth": "30"}, depth="null"),
        event(after(2), cid="c", page_view_id="p", traits={"scroll_pct": Number("40")}),
    ],
    "gap equal to the limit and one microsecond over": [
        event(after(0), cid="c"),
        event(after(30), cid="c"),
        event(after(60, micros=1), cid="c"),
        event(after(0), cid="d"),
        event(after(10), cid="d", sid="s"),
        event(after(40), cid="d"),
        event(after(70, micros=1), cid="d"),
        event(after(500), cid="d", sid="s"),
        event(after(501), cid="d"),
    ],
    "two users on one device": [
        event(after(0), cid="c"),
        event(after(1), cid="c", uid="u1"),
        event(after(1), cid="c", uid="u2"),
        event(after(1), cid="c"),
        event(after(2), cid="c"),
        event(after(3), cid="c", uid="u3"),
        event(after(4), cid="c", sid="s"),
        event(after(5), cid="c", uid="u1"),
        event(after(6), cid="c", sid="s"),
    ],
    "login in the middle of a session, a session on two devices": [
        event(after(0), cid="c", sid="s"),
        event(after(1), cid="c", sid="s", uid="u"),
        event(after(2), cid="c", sid="s"),
        event(after(0), cid="c1", sid="both"),
        event(after(1), cid="c1", sid="both", uid="u1"),
        event(after(2), cid="c2", sid="both", uid="u2"),
        event(after(3), cid="c2", sid="both"),
        event(after(4), sid="both"),
        event(after(5), cid="c3", sid="both"),
        event(after(6), cid="c3"),
        event(after(0), sid="third", uid="u7"),
        event(after(1), sid="third", cid="c9"),
        event(after(2), sid="third", cid="c8", uid="u8"),
        event(after(3), sid="third", cid="c8"),
    ],
    "values to the digit": [
        purchase(after(n), ["a", "b", "a"], cid="c", sid=f"s{n}", order_total=value, currency=c)
        for n, (value, c) in enumerate(
            [
                (Number("0.1"), "EUR"),
                (Number("6.9e2"), "EUR"),
                (Number("-6.9E-6"), ""),
                (Number("1e17"), None),
                (Number("999999999999999999.9999999"), " \u2003"),
                (Number("1e18"), "USD"),
                (Number("-1000000000000000000"), "USD"),
                (Number("0.0000005"), "USD"),
                (Number("0.00000049999999999999999999"), "USD"),
                (Number("-0.0000015"), "USD"),
                (Number("1e-99999999999999999999"), "USD"),
                (Number("1e99999999999999999999"), "USD"),
                (Number("0e99999999999999"), "USD"),
                (Number("-0"), "USD"),
                (Number("123456789012345678.123456789"), "USD"),
                (Number("0.00001e5"), "USD"),
                (Number("10000000000000000000000e-5"), "USD"),
                ("12.50", "USD"),
                ("-3", "USD"),
                ("1e3", "USD"),
                ("+1", "USD"),
                (" 1", "USD"),
                ("1\n", "USD"),
                (".5", "USD"),
                ("5.", "USD"),
                ("", "USD"),
                (True, "USD"),
                ([Number("1")], "USD"),
                ({"order_total": Number("1")}, "USD"),
                (None, "USD"),
                ("007.1234565", "USD"),
                (Number("1.10"), 'say "5" \\'),
                ("\u0661", "USD"),
                (Number("18446744073709551616"), "USD"),
                (Number("-9223372036854775809"), "USD"),
            ]
        )
    ],
    "currencies that may not be added": [
        purchase(after(0), ["a"], uid="u", sid="s", order_total=Number("1"), currency="EUR"),
        purchase(after(1), ["a"], uid="u", sid="s", order_total=Number("1")),
        purchase(after(2), ["a"], uid="u", sid="t", order_total=Number("1")),
        purchase(after(3), ["a"], uid="u", sid="t", order_total=Number("2")),
        purchase(after(4), ["a"], uid="u", sid="t", currency="USD"),
        clicked(after(-1), uid="u", rec_id="r"),
    ],
    "windows of attribution, both ends inclusive": [
        clicked(after(days=0), "a", uid="u"),
        clicked(after(days=0, micros=-1), "b", uid="u"),
        shown(after(days=6), "b", uid="u"),
        shown(after(days=6, micros=-1), "c", uid="u"),
        purchase(after(days=7), ["a", "b", "c"], uid="u", order_total=Number("-1")),
        clicked(after(days=7), "c", uid="u"),
        clicked(after(days=7, micros=1), "b", uid="u"),
        shown(after(days=7), "e", uid="u"),
        purchase(after(days=7), ["e", "f", "a"], uid="u", order_total=Number("0.01")),
    ],
    "more touches than are kept": [
        *[clicked(after(n % 70), "a", uid="u", rec_id=f"r{n}") for n in range(150)],
        *[
            shown(after(n % 70), "b", uid="u", item_id_relation=("x", "y", "")[n % 3])
            for n in range(400)
        ],
        purchase(after(100), ["a", "b", "b"], uid="u", order_total=Number("100.01")),
        purchase(
            after(101), ["b", "a"], uid="u", item_id_relation="x", order_total=Number("-7.000001")
        ),
    ],
    "a match at the same time, on the edge and beyond it": [
        shown(after(0), uid="u"),
        clicked(after(0), uid="u"),
        clicked(after(30), uid="u"),
        clicked(after(30, micros=1), uid="u"),
        shown(after(0), "b", uid="u", rec_id="r", page_view_id="p"),
        shown(after(9), "b", uid="u", rec_id="q", page_view_id="p"),
        clicked(after(900), "b", uid="u", rec_id="r", page_view_id="p"),
        clicked(after(900), "b", uid="u", page_view_id="p"),
        clicked(after(900), "b", uid="u"),
        shown(after(0), "d", uid="u", item_id_relation="x"),
        shown(after(0), "d", uid="u"),
        shown(after(0), "d", uid="u", item_id_relation="y"),
        clicked(after(1), "d", uid="u", item_id_relation="x"),
        clicked(after(1), "d", uid="u", item_id_relation="z"),
        clicked(after(1), "d", uid="u"),
    ],
    "links by id, by own value, to itself, across visitors, dangling": [
        viewed(after(0), id="p1", page_view_id="shared", uid="u"),
        viewed(after(0), id="p0", page_view_id="shared", uid="u"),
        viewed(after(1), id="p2", page_view_id="p2", uid="v"),
        viewed(after(1), id="shared2", page_view_id="p1", uid="v"),
        viewed(after(2), id="p3", page_view_id="shared2", uid="v"),
        *[
            event(after(9), uid="w", page_view_id=value, scroll_pct=Number("0.5"), depth="x")
            for value in ("shared", "p1", "p2", "shared2", "nothing", "e1")
        ],
        event(after(1), id="e1", uid="w", type="module_view", rank=1, page_view_id="shared"),
        shown(after(2), id="i1", uid="w", module_view_id="e1"),
        shown(after(2), id="i2", uid="w", module_view_id="e1", page_view_id="nothing"),
        clicked(after(2), uid="x", impression_id="i1"),
        clicked(after(2), uid="x", impression_id="i2", module_view_id="gone", rank=7),
        event(after(3), uid="w", type="dwell_time", dwell_ms=Number("0.5"), page_view_id="p1"),
    ],
    "one id many times": [
        event(after(2), id="e", uid="u", ingest_timestamp=after(5).isoformat()),
        event(after(1), id="e", uid="v", ingest_timestamp=after(5).isoformat()),
        event(after(0), id="e", uid="w"),
        event(after(1), id="f", uid="u", n=Number("1")),
        event(after(1), id="f", uid="u", n=Number("2")),
        event(after(1), id="f", uid="u", n=Number("2")),
    ],
    "an explicit touch that is too late, of another item, of another visitor": [
        shown(after(5), "a", id="i", uid="v", rec_id="r"),
        clicked(after(4), "a", uid="u"),
        purchase(after(5), ["a", "b"], uid="u", impression_id="i", order_total=Number("3")),
        purchase(after(5, micros=-1), ["a"], uid="u", impression_id="i", order_total="3"),
        purchase(after(6), ["a"], uid="u", impression_id="i", item_id_relation="x"),
    ],
}


def prefixed(row: Row, prefix: str) -> Row:
    """Keep a history apart from all others."""
    names = ("id", "uid", "sid", "cid", "rec_id", "page_view_id", "module_view_id")
    result = dict(row)
    for name in (*names, "impression_id"):
        if row.get(name):
            result[name] = prefix + row[name]
    return result


def random_history(dice: random.Random) -> Iterator[Row]:
    """Give events of few ids, visitors and items on a coarse grid of time, so that all collide."""
    days, minutes = dice.choice([([0], 4), ([0, 1, 7, 8], 2), ([0, 0, 0, 1], 40)])
    types = dice.choices(
        ["page_view", "module_view", "impression", "click", "conversion", "dwell_time", "scroll"],
        weights=[2, 1, dice.randint(1, 6), dice.randint(1, 6), dice.randint(1, 3), 1, 1],
        k=dice.randint(3, 45),
    )
    ids = [f"e{n}" for n in range(dice.choice([5, 20, 60]))]
    shared = [*ids[:6], "p", "q"]
    sparse = dice.random()
    bought: list[Row] = []

    def maybe(values: list[Any], share: float = 0.5) -> Any:
        return dice.choice(values) if dice.random() < share else None

    for event_type in types:
        at = after(
            dice.randint(0, minutes) * dice.choice([15, 30, 30]),
            days=dice.choice(days),
            micros=dice.choice([0, 0, 0, 0, 1, -1]),
        )
        row = event(
            at,
            type=event_type,
            id=maybe(ids, 0.9),
            uid=maybe(["u", "u", "v", "v", "w"], sparse * 0.7),
            sid=maybe(["s", "t", "s2"], sparse),
            cid=maybe(["c", "d"], 0.7),
            rec_id=maybe(["r", "r2"], 0.4),
            page_view_id=maybe(shared, 0.4),
            module_view_id=maybe(shared, 0.3),
            impression_id=maybe(shared, 0.2),
            item_id_relation=maybe(["x", "y"], 0.2),
            item_id=dice.choice("aab"),
            rank=dice.randint(0, 9),
            server_timestamp=maybe([at.isoformat(), after(-1).isoformat()], 0.3),
            ingest_timestamp=maybe([after(0).isoformat(), after(9).isoformat()], 0.3),
        )
        row |= {
            "page_view": {"page_type": dice.choice(["home", "cart"])},
            "click": {"click_type": "like"},
            "conversion": {
                "conversion_type": "buy",
                "item_ids": dice.choices("abc", k=dice.randint(1, 4)),
                "currency": maybe(["EUR", "EUR", "USD"], 0.9),
                "order_id": maybe(["1", Number("1"), "2", "null", "0"], 0.6),
                "order": maybe([{"no": "1"}, '{"no":1}'], 0.2),
                "context": maybe([{"order_id": "1"}, {"order": {"no": "2"}}], 0.2),
                "order_total": maybe(
                    [Number("9.99"), Number("-1e-5"), "0.07", Number("1.5E2"), "x", Number("100")],
                    0.9,
                ),
            },
            "dwell_time": {"dwell_ms": Number(dice.choice(["0", "1.5", "3000", "0.000001"]))},
            "scroll": {
                "depth": maybe([Number("0.1"), "0.2", "deep"]),
                "scroll_pct": maybe([Number("30"), Number("-1.5e0")]),
            },
        }.get(event_type, {})
        if not (row["uid"] or row["sid"] or row["cid"]):
            row["cid"] = "c"
        if event_type == "conversion" and bought and dice.random() < 0.5:
            row |= dice.choice(bought)
        elif event_type == "conversion":
            names = ("conversion_type", "item_ids", "currency", "order_total", "order_id")
            bought.append({name: row[name] for name in names})
        yield {name: value for name, value in row.items() if value is not None}


# What completeness looks for, in records that else are the same.
CUSTOM_FIELDS: list[Row] = [
    {},
    {},
    {"page_url": "x"},
    {"lang": "de", "geo": {"country": "CH"}},
    {"utm_medium": "email"},
    {"utm_medium": "push", "search_query": "q"},
    {"push_notification": True},
    {"push_notification": False, "device": {"type": "tv"}},
    {"referrer": "direct", "cart": ["a"]},
    {"email_campaign": Number("0"), "logged_in": False},
    {"scroll_depth": Number("0.25"), "page_type": "serp"},
]


def with_custom_fields(dice: random.Random, row: Row) -> Row:
    """Add custom fields to a record; what it says itself stands."""
    return {**dice.choice(CUSTOM_FIELDS), **row}


def wide_history(dice: random.Random, count: int) -> Iterator[Row]:
    """Give events of many ids, visitors, items and times, few of which meet."""
    seen: dict[str, list[str]] = {}

    def maybe(values: list[str], share: float) -> str | None:
        return dice.choice(values) if values and dice.random() < share else None

    for number in range(count):
        person = dice.randrange(12)
        [kind] = dice.choices(
            [
                "page_view",
                "module_view",
                "impression",
                "click",
                "conversion",
                "dwell_time",
                "scroll",
            ],
            weights=[3, 2, 5, 5, 3, 1, 1],
        )
        name = maybe(seen.get(kind, []), 0.1) or f"{kind}{number}"
        row = event(
            after(dice.randint(0, 2000), days=dice.choice([0, 0, 0, 1, 3, 8])),
            type=kind,
            id=name,
            uid=maybe([f"u{person}", f"u{person // 2}"], 0.2),
            sid=maybe([f"s{person}", f"s{dice.randrange(40)}"], 0.4),
            cid=f"c{dice.choice([person, person, person, dice.randrange(12)])}",
            rec_id=maybe([f"r{dice.randrange(20)}"], 0.5),
            page_view_id=maybe([*seen.get("page_view", []), f"p{dice.randrange(9)}"], 0.6),
            module_view_id=maybe([*seen.get("module_view", []), f"m{dice.randrange(9)}"], 0.5),
            impression_id=maybe(seen.get("impression", []), 0.2),
            item_id=f"i{dice.randrange(6)}",
            rank=dice.randint(0, 9),
            page_type=dice.choice(["home", "cart", "search"]),
            click_type=dice.choice(["like", "add_to_cart", "review"]),
            conversion_type="buy",
            item_ids=[f"i{dice.randrange(6)}" for _ in range(3)],
            dwell_ms=Number("7.5"),
            order_total=Number(str(dice.randint(1, 99))),
            depth=Number(str(dice.randint(1, 99))),
            currency=dice.choice(["EUR", "USD"]),
            order_id=maybe([f"o{dice.randrange(9)}"], 0.3),
        )
        seen.setdefault(kind, []).append(name)
        yield with_custom_fields(dice, {k: value for k, value in row.items() if value is not None})


def random_files(seed: int, count: int) -> list[ExportFile]:
    """Write random histories and those made by hand into files of two sources."""
    dice = random.Random(seed)
    lines: dict[tuple[str, str], list[str]] = {
        ("default", "a"): [], ("default", "b"): [], ("app", "a"): [],
    }  # fmt: skip
    histories = [*HISTORIES.values(), *(list(random_history(dice)) for _ in range(count))]
    for number, history in enumerate(histories):
        for row in history:
            place = dice.choice(list(lines))
            lines[place].append(as_json(prefixed(row, f"{number:04d}.")))
    return [
        ExportFile(source, path, "".join(f"{line}\n" for line in text).encode(), RECEIVED_AT)
        for (source, path), text in lines.items()
    ]
