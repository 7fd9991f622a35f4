"""The simulated shop: same seed, same bytes; and its truth is what the files really hold."""

import csv
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable  # noqa: TC003  # beside its runtime twins
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pyarrow import parquet

from sequen_dagster.simulate import (
    DEFAULT_COVERAGES,
    FORMATS,
    FileTruth,
    Simulation,
    Truth,
    simulate,
)
from sequen_dagster.simulate.defects import BROKEN
from support.oracle import ExportFile, marts, validate

SETTINGS = Simulation(events=12_000, days=4, files_per_day=2)
CLEAN = replace(
    Simulation(events=2_000, days=2),
    late_rate=0.0,
    duplicate_rate=0.0,
    conflict_rate=0.0,
    broken_rate=0.0,
    warning_rate=0.0,
)
Event = dict[str, Any]
MANDATORY = {
    "page_view": ("page_type",),
    "module_view": ("rank",),
    "impression": ("item_id", "rank"),
    "click": ("item_id", "click_type"),
    "conversion": ("conversion_type", "item_ids"),
    "dwell_time": ("dwell_ms",),
}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Read:
    """A record of a JSON Lines file, with the rules it breaks by the count of this test."""

    file: FileTruth
    line: int
    text: bytes
    event: Event
    rules: list[str]


@dataclass(frozen=True)
class Shop:
    out: Path
    truth: Truth
    records: list[Read]

    @property
    def events(self) -> list[Event]:
        """Accepted events, each id once: the copy that was ingested first."""
        first: dict[str, Event] = {}
        for read in self.records:
            if not read.rules:
                key = read.event.get("id", f"{read.file.path}:{read.line}")
                first.setdefault(key, read.event)
        return list(first.values())


def simulated(settings: Simulation, out: Path) -> Shop:
    truth = simulate(settings, out)
    return Shop(out, truth, [read for file in truth.files for read in reads(out, file)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return simulated(SETTINGS, tmp_path_factory.mktemp("shop"))


def reads(out: Path, file: FileTruth) -> list[Read]:
    lines = (out / "exports" / file.path).read_bytes().splitlines()
    return [
        read_of(file, number, line) for number, line in enumerate(lines, start=1) if line.strip()
    ]


def read_of(file: FileTruth, number: int, line: bytes) -> Read:
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError:
        return Read(file, number, line, {}, ["bad_encoding"])
    except json.JSONDecodeError:
        return Read(file, number, line, {}, ["malformed_json"])
    if not isinstance(value, dict):
        return Read(file, number, line, {}, ["not_an_object"])
    if depth(value) > 64:
        return Read(file, number, line, {}, ["too_deep"])
    return Read(file, number, line, value, broken_rules(value, file.received_at_ms))


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


def broken_rules(event: Event, received_at_ms: int) -> list[str]:
    given = {name: value for name, value in event.items() if not is_blank(value)}
    kind = given.get("type")
    wanted = ["type", "original_timestamp", *MANDATORY.get(kind if is_text(kind) else "", ())]
    rules = [f"missing_{name}" for name in wanted if name not in given]
    if not {"uid", "sid", "cid", "session_id", "client_id"} & set(given):
        rules.append("missing_identity")
    checks: dict[str, Callable[[Any], bool]] = {
        "type": is_text,
        "uid": lambda value: is_text(value) or type(value) is int,
        "item_id": is_text,
        "page_type": is_text,
        "item_ids": lambda value: all(is_text(item) and item.strip() for item in value),
        "rank": lambda value: str(value).isdigit() and int(value) < 2**31,
        "dwell_ms": lambda value: type(value) is int and 0 <= value < 10**15,
        **{
            name: lambda value: is_time(value, received_at_ms)
            for name in ("original_timestamp", "server_timestamp", "ingest_timestamp")
        },
    }
    return rules + [
        f"invalid_{name}" for name in checks if name in given and not checks[name](given[name])
    ]


def is_blank(value: Any) -> bool:
    return value in (None, []) or (isinstance(value, str) and not value.strip())


def is_text(value: Any) -> bool:
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


def is_time(value: Any, received_at_ms: int) -> bool:
    if type(value) is not int and not ISO.fullmatch(value):
        return False
    try:
        at = instant(value)
    except ValueError:
        return False
    return datetime(2000, 1, 1, tzinfo=UTC) <= at <= unix_ms(received_at_ms) + timedelta(days=1)


def instant(value: str | int) -> datetime:
    if isinstance(value, int):
        return unix_ms(value if value > 10**11 else value * 1000)
    return datetime.fromisoformat(value)


def unix_ms(value: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)


def contents(out: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(out)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns if "exports" in path.parts else 0,
        )
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    return path.read_bytes()


def test_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    settings = Simulation(events=1_500, days=7, formats=FORMATS)

    simulate(settings, tmp_path / "a")
    simulate(settings, tmp_path / "b")
    simulate(replace(settings, seed=8), tmp_path / "c")

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from sequen_dagster.simulate import Simulation, simulate\n"
        "simulate(Simulation(events=800, days=2), pathlib.Path(sys.argv[1]))\n"
    )
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        command = [sys.executable, "-c", program, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)

    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_truth_survives_its_file(shop: Shop) -> None:
    assert Truth.read(shop.out / "truth.json") == shop.truth


def test_recount_finds_the_records_of_the_truth(shop: Shop) -> None:
    rules = Counter(rule for read in shop.records for rule in read.rules)

    assert len(shop.records) == shop.truth.records
    assert sum(not read.rules for read in shop.records) == shop.truth.accepted
    assert sum(bool(read.rules) for read in shop.records) == shop.truth.quarantined
    assert rules == shop.truth.quarantined_by_rule


def test_recount_finds_the_counts_of_every_file(shop: Shop) -> None:
    for file in shop.truth.files:
        path = shop.out / "exports" / file.path
        own = [read for read in shop.records if read.file == file]

        assert file.records == len(own) == file.accepted + file.quarantined
        assert file.quarantined == sum(bool(read.rules) for read in own)
        assert file.blank_lines == path.read_bytes().splitlines().count(b"")
        assert path.stat().st_mtime_ns == file.received_at_ms * 1_000_000


def test_every_broken_record_is_labeled(shop: Shop) -> None:
    labels = [json.loads(line) for line in (shop.out / "broken.jsonl").read_text().splitlines()]
    expected = {(label["file"], label["line"]): sorted(label["rules"]) for label in labels}
    found = {(read.file.path, read.line): sorted(read.rules) for read in shop.records if read.rules}

    assert found == expected
    assert {label["item"] for label in labels} == {1}
    assert Counter(label["kind"] for label in labels) == shop.truth.broken_by_kind


def test_recount_finds_the_duplicates(shop: Shop) -> None:
    accepted = [read for read in shop.records if not read.rules]
    texts = defaultdict(list)
    for read in accepted:
        if "id" in read.event:
            texts[read.event["id"]].append(read.text)

    copied = [group for group in texts.values() if len(group) > 1]
    conflicting = [group for group in copied if len(set(group)) > 1]

    assert {len(group) for group in copied} == {2}
    assert len(copied) == shop.truth.duplicate_records
    assert len(conflicting) == shop.truth.conflicting_records > 0
    assert len(shop.events) == shop.truth.distinct_ids == len(accepted) - len(copied)


def test_copies_arrive_in_the_same_and_in_later_files(shop: Shop) -> None:
    places = defaultdict(list)
    for read in shop.records:
        if "id" in read.event:
            places[read.event["id"]].append(read.file.path)

    spans = {len(set(paths)) for paths in places.values() if len(paths) > 1}

    assert spans == {1, 2}


def test_recount_finds_types_and_money(shop: Shop) -> None:
    types = Counter(event["type"] for event in shop.events)
    conversions = [event for event in shop.events if event["type"] == "conversion"]
    cents: Counter[str] = Counter()
    orders: set[str] = set()
    for event in conversions:
        if "order_total" in event and event["order_id"] not in orders:
            orders.add(event["order_id"])
            cents[event["currency"]] += round(float(event["order_total"]) * 100)

    assert len(orders) < sum("order_total" in event for event in conversions)
    assert types == shop.truth.events_by_type
    assert Counter(event["conversion_type"] for event in conversions) == shop.truth.conversions
    assert cents == shop.truth.order_cents


def test_order_total_is_the_sum_of_the_prices(shop: Shop) -> None:
    prices = {
        event["item_id"]: round(event["price"] * 100) for event in shop.events if "price" in event
    }
    purchases = [event for event in shop.events if "order_total" in event]

    assert any(len(event["item_ids"]) > len(set(event["item_ids"])) for event in purchases)
    for event in purchases:
        if set(event["item_ids"]) <= set(prices):
            expected = sum(prices[item] for item in event["item_ids"])
            assert round(float(event["order_total"]) * 100) == expected


def test_recount_finds_the_late_events(shop: Shop) -> None:
    late = arrivals = 0
    seen: set[str] = set()
    for read in shop.records:
        key = read.event.get("id", f"{read.file.path}:{read.line}")
        if read.rules or key in seen:
            continue
        seen.add(key)
        at = instant(read.event["original_timestamp"])
        ingested = read.event.get("ingest_timestamp")
        received = unix_ms(read.file.received_at_ms) if ingested is None else instant(ingested)
        late += received - at > timedelta(days=1)
        day = datetime.fromisoformat(read.file.path[:10]).replace(tzinfo=UTC)
        arrivals += at < day

    assert late == shop.truth.late_events
    assert arrivals == shop.truth.late_arrivals > 20


def test_oracle_agrees_with_the_truth(shop: Shop) -> None:
    validated = validate(
        [
            ExportFile(
                "default",
                file.path,
                (shop.out / "exports" / file.path).read_bytes(),
                unix_ms(file.received_at_ms).replace(tzinfo=None),
            )
            for file in shop.truth.files
        ]
    )
    warnings: Counter[str] = Counter()
    for (_, _, rule), records in validated.warnings.items():
        warnings[rule] += records
    tables = marts(validated.accepted)
    methods = Counter(click["match_method"] for click in tables["fct_clicks"])
    sessions = len(tables["fct_sessions"])

    assert len(validated.accepted) == shop.truth.accepted
    assert len(validated.quarantined) == shop.truth.quarantined
    assert warnings == shop.truth.warnings
    assert len(tables["fct_events"]) == shop.truth.distinct_ids
    assert set(methods) == {"impression_id", "rec_id", "page_view_id", "window", "none"}
    # Broken impressions and strangers on one device move a few links and sessions.
    for method, clicks in shop.truth.clicks_by_link.items():
        assert abs(methods[method] - clicks) <= max(12, 0.1 * clicks)
    assert abs(sessions - shop.truth.visits) <= 0.06 * shop.truth.visits


def test_every_type_and_link_occurs(shop: Shop) -> None:
    custom = {"video_pause", "form_start", "form_progress", "push_open", "email_click", "login"}
    clicks = [event["click_type"] for event in shop.events if event["type"] == "click"]

    assert set(shop.truth.events_by_type) == {*MANDATORY, "scroll", "pageview", *custom}
    assert set(shop.truth.clicks_by_link) == {
        "impression_id",
        "rec_id",
        "page_view_id",
        "window",
        "none",
    }
    assert set(clicks) == {"select", "like", "add_to_cart", "review", "outbound"}
    assert set(shop.truth.conversions) == {"purchase", "add_to_cart", "newsletter"}
    assert set(shop.truth.warnings) == {
        "near_standard_type",
        "coerced",
        "placeholder_id",
        "alias_conflict",
        "duplicate_key",
    }


def test_every_kind_of_fault_occurs(tmp_path: Path) -> None:
    formats = ("jsonl", "csv", "jsonl", "parquet")

    truth = simulate(Simulation(events=8_000, days=4, broken_rate=0.6, formats=formats), tmp_path)

    assert set(truth.broken_by_kind) == {defect.kind for defect in BROKEN}
    assert len(truth.quarantined_by_rule) >= 12


def test_identities_are_those_of_people(shop: Shop) -> None:
    cids_of, states_of = defaultdict(set), defaultdict(set)
    for event in shop.events:
        if "uid" in event and event.get("cid") not in (None, "undefined", "null"):
            cids_of[str(event["uid"])].add(event["cid"])
        if "sid" in event:
            states_of[event["sid"]].add("uid" in event)
        if "logged_in" in event:
            assert event["logged_in"] == ("uid" in event)

    assert max(map(len, cids_of.values())) >= 2
    assert {True, False} in states_of.values()
    assert any("client_id" in event for event in shop.events)
    assert any("cid" not in event and "client_id" not in event for event in shop.events)


def test_shared_device_has_the_events_of_several_users(tmp_path: Path) -> None:
    settings = replace(CLEAN, shared_device_rate=0.5, account_rate=1.0, login_rate=1.0)

    events = simulated(settings, tmp_path).events
    uids_of = defaultdict(set)
    for event in events:
        if "uid" in event and "cid" in event:
            uids_of[event["cid"]].add(event["uid"])

    assert max(map(len, uids_of.values())) >= 2


def test_without_sid_rate_is_kept(shop: Shop) -> None:
    without = sum("sid" not in event and "session_id" not in event for event in shop.events)

    assert without / len(shop.events) == pytest.approx(SETTINGS.without_sid_rate, abs=0.02)


def test_time_runs_forward_in_a_visit(shop: Shop) -> None:
    at = {
        event["id"]: instant(event["original_timestamp"]) for event in shop.events if "id" in event
    }
    times = defaultdict(list)
    for event in shop.events:
        if "sid" in event and event["type"] not in ("push_open", "email_click"):
            times[event["sid"]].append(instant(event["original_timestamp"]))
        for name in ("page_view_id", "module_view_id", "impression_id"):
            if event.get(name) in at and "id" in event:
                assert at[event[name]] < at[event["id"]]

    assert all(len(visit) == len(set(visit)) for visit in times.values())
    assert all(max(visit) - min(visit) < timedelta(hours=3) for visit in times.values())


def test_timestamps_come_in_every_form(shop: Shop) -> None:
    sent = [event["original_timestamp"] for event in shop.events]

    assert any(isinstance(value, int) and value > 10**12 for value in sent)
    assert any(isinstance(value, int) and value < 10**10 for value in sent)
    assert any(isinstance(value, str) and value.endswith("Z") for value in sent)
    assert any(isinstance(value, str) and value[-6] in "+-" for value in sent)


def has_any(event: Event, *names: str) -> bool:
    return any(event.get(name) not in (None, "") for name in names)


def share(events: list[Event], *names: str) -> float:
    return sum(has_any(event, *names) for event in events) / len(events)


def measured(events: list[Event], visits: int) -> dict[str, float]:
    def of(*types: str) -> list[Event]:
        return [event for event in events if event["type"] in types]

    pages = [event for event in of("page_view") if "id" in event]
    dwelt = {event["page_view_id"] for event in of("dwell_time")}
    entries = [event for event in pages if event.get("page_id", "").endswith("/1")]
    carts = [
        event
        for event in events
        if event["type"] == "conversion"
        or event.get("click_type") == "add_to_cart"
        or (event["type"] == "page_view" and event["page_type"] in ("cart", "checkout"))
    ]
    clicked = Counter(event["click_type"] for event in of("click"))
    of_a_page = of("page_view", "module_view", "impression", "click", "dwell_time", "scroll")
    return {
        "page_id": share(of_a_page, "page_id", "page_url"),
        "search_query": share(
            [event for event in pages if event["page_type"] == "search"], "search_query"
        ),
        "geolocation": share(events, "geolocation", "country"),
        "locale/language": share(events, "locale", "language"),
        "device_type": share(events, "device_type", "device_info"),
        "logged_in": share(events, "logged_in"),
        "partial_form_fills": len(of("form_start")) / visits,
        "review_click": clicked["review"] / visits,
        "outbound_click": clicked["outbound"] / visits,
        "dwell_time": sum(event["id"] in dwelt for event in pages) / len(pages),
        "referral_source": share(entries, "referral_source"),
        "scroll_depth": share(of("scroll"), "scroll_depth"),
        "cart_content": share(carts, "cart_content", "item_ids"),
        "email_campaign": len(of("email_click")) / visits,
        "push_notifications": len(of("push_open")) / visits,
    }


def test_default_coverages_come_out(shop: Shop) -> None:
    found = measured(shop.events, shop.truth.visits)

    assert set(found) == set(DEFAULT_COVERAGES)
    for attribute, coverage in DEFAULT_COVERAGES.items():
        assert found[attribute] == pytest.approx(coverage, abs=0.03), attribute


def test_set_coverages_come_out(tmp_path: Path) -> None:
    wanted = {"geolocation": 0.5, "scroll_depth": 0.0, "review_click": 0.5, "logged_in": 1.0}

    own = simulated(replace(CLEAN, events=4_000, coverages=wanted), tmp_path)
    found = measured(own.events, own.truth.visits)

    assert found["geolocation"] == pytest.approx(0.5, abs=0.02)
    assert found["scroll_depth"] == 0.0
    assert found["review_click"] == pytest.approx(0.5, abs=0.05)
    assert found["logged_in"] == 1.0
    assert found["device_type"] == pytest.approx(DEFAULT_COVERAGES["device_type"], abs=0.02)


def test_clicks_follow_the_click_model(tmp_path: Path) -> None:
    settings = replace(CLEAN, events=20_000, linked_click_rate=1.0, position_bias=1.0)

    own = simulated(settings, tmp_path)
    events, relevance = own.events, own.truth.relevance
    clicked = {
        event["impression_id"]
        for event in events
        if event.get("click_type") in ("select", "like") and "impression_id" in event
    }
    expected, found = Counter[bool](), Counter[bool]()
    for event in events:
        if event["type"] == "impression":
            is_high = event["rank"] <= 2
            expected[is_high] += relevance[event["item_id"]] / event["rank"]
            found[is_high] += event.get("id", event.get("impression_id")) in clicked

    for is_high in (True, False):
        assert found[is_high] == pytest.approx(expected[is_high], rel=0.15)


def test_clean_settings_give_clean_exports(tmp_path: Path) -> None:
    truth = simulate(CLEAN, tmp_path)

    assert truth.records == truth.accepted == truth.distinct_ids == truth.simulated_events
    assert truth.quarantined_by_rule == truth.warnings == {}
    assert CLEAN.events <= truth.simulated_events < CLEAN.events + 300


@pytest.mark.parametrize("file_format", FORMATS)
def test_format_holds_the_records_of_the_truth(tmp_path: Path, file_format: str) -> None:
    truth = simulate(replace(CLEAN, formats=(file_format,), broken_rate=0.02), tmp_path)
    rows = []
    for file in truth.files:
        path = tmp_path / "exports" / file.path
        assert path.name == f"events-00.{file_format}"
        if file_format == "parquet":
            rows += parquet.read_table(path).to_pylist()
        elif file_format == "csv":
            with path.open(encoding="utf-8", newline="") as lines:
                rows += list(csv.reader(lines))[1:]
        elif file_format.startswith("jsonl"):
            rows += [line for line in unpacked(path).splitlines() if line]
        else:
            document = json.loads(path.read_bytes())
            rows += document["events"] if file_format == "envelope.json" else document

    assert len(rows) == truth.records
    assert truth.quarantined > 10


def test_label_of_a_csv_record_names_its_physical_line(tmp_path: Path) -> None:
    simulate(replace(CLEAN, formats=("csv",), broken_rate=0.1), tmp_path)
    labels = [json.loads(line) for line in (tmp_path / "broken.jsonl").read_text().splitlines()]
    surplus = [label for label in labels if label["kind"] == "surplus_cell"]

    assert surplus
    for label in surplus:
        lines = (tmp_path / "exports" / label["file"]).read_text(encoding="utf-8").splitlines()
        assert lines[label["line"] - 1].endswith(",surplus")


def test_days_and_files_are_named_for_their_time(tmp_path: Path) -> None:
    settings = replace(CLEAN, first_day=date(2024, 2, 28), days=3, files_per_day=2)

    truth = simulate(settings, tmp_path)

    assert [file.path for file in truth.files] == [
        f"{day}/events-{part}.jsonl"
        for day in ("2024-02-28", "2024-02-29", "2024-03-01")
        for part in ("00", "01")
    ]


def test_single_visitor_gets_company_rather_than_overlapping_visits(tmp_path: Path) -> None:
    truth = simulate(replace(CLEAN, visitors=1, events=1_000, days=1), tmp_path)

    assert truth.visits > 1


def test_used_folder_is_refused(tmp_path: Path) -> None:
    settings = replace(CLEAN, events=100, days=1)
    simulate(settings, tmp_path)

    with pytest.raises(FileExistsError, match="is not empty"):
        simulate(settings, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"events": 0}, "events must be at least 1; got 0"),
        ({"late_rate": 1.5}, "late_rate must lie between 0 and 1; got 1.5"),
        ({"broken_rate": 0.6, "duplicate_rate": 0.6}, "add up to over 1"),
        ({"formats": ("xml",)}, "formats must be of jsonl, .*; got 'xml'"),
        ({"formats": ()}, "formats must name at least one of jsonl"),
        ({"coverages": {"page": 1.0}}, "coverages must be of page_id, .*; got 'page'"),
        ({"coverages": {"page_id": -1.0}}, "must lie between 0 and 1; got -1.0"),
    ],
)
def test_bad_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Simulation(**settings)
