"""What the benches read and run: exports of many days, the pandas script, and SQL without dbt."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from benchmarks.days import EVENTS_PER_DAY, write_bot, write_days
from benchmarks.pandas_script import main as run_script
from benchmarks.refresh import check_same_rows, plain_statements
from benchmarks.runs import measure_disk, read_nodes, read_stages
from sequen_dagster.home.layout import Home


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exports = tmp_path_factory.mktemp("days")
    write_days(exports, 0, 2)
    return exports


def test_a_day_has_its_events_and_some_of_the_day_before(two_days: Path) -> None:
    first, second = (read_lines(two_days / f"day000{day}.jsonl") for day in (0, 1))

    assert len(first) == EVENTS_PER_DAY
    assert len({one["id"] for one in first}) == EVENTS_PER_DAY
    assert len(second) == EVENTS_PER_DAY + 500
    assert second[EVENTS_PER_DAY:] == first[:500]
    late = Counter(str(one["original_timestamp"])[:10] < "2025-01-02" for one in second[:-500])
    # The sessions of some seconds before midnight end on the next day.
    assert 0.03 * EVENTS_PER_DAY < late[True] < 0.07 * EVENTS_PER_DAY
    assert not any(value is None for one in first for value in one.values())


def test_a_file_arrives_at_the_end_of_its_day(two_days: Path) -> None:
    modified = (two_days / "day0001.jsonl").stat().st_mtime

    assert datetime.fromtimestamp(modified, UTC) == datetime(2025, 1, 3, tzinfo=UTC)


def test_days_are_the_same_every_time(two_days: Path, tmp_path: Path) -> None:
    write_days(tmp_path, 0, 1)

    name = "day0000.jsonl"
    assert (tmp_path / name).read_bytes() == (two_days / name).read_bytes()


def test_a_bot_sends_an_event_a_second(tmp_path: Path) -> None:
    write_bot(tmp_path, 5, 7)

    assert read_lines(tmp_path / "bot5.jsonl") == [
        {
            "id": f"bot{second}",
            "type": "scroll",
            "cid": "bot",
            "original_timestamp": f"2025-01-01T00:00:0{second}Z",
        }
        for second in (5, 6)
    ]


def test_script_gives_sessions_and_last_clicks(tmp_path: Path) -> None:
    def event(minute: int, kind: str, **fields: object) -> dict[str, object]:
        time = f"2025-07-01T10:{minute:02}:00Z"
        return {"type": kind, "original_timestamp": time, "cid": "c", "rank": 1, **fields}

    lines = [
        event(0, "click", id="e1", item_id="a", dwell_ms=1, order_total=1),
        event(1, "click", id="e2", item_id="a", sid="s"),
        event(1, "click", id="e2", item_id="a", sid="s"),
        event(2, "click", id="e3", item_id="b", session_id="s", client_id="c"),
        event(3, "conversion", id="e4", item_ids=["a", "z"], uid=None),
        event(
            40, "page_view", id="e5", uid="u", server_timestamp=1751364000000, ingest_timestamp="x"
        ),
        # Broken: a click on nothing, and an event of no one.
        event(41, "click", id="e6"),
        event(42, "click", id="e7", item_id="a", cid=None),
    ]
    (tmp_path / "exports").mkdir()
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "exports" / "a.jsonl").write_text(text, encoding="utf-8")

    run_script(tmp_path / "exports", tmp_path / "out")

    tables = {
        name: pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        for name in ("events", "sessions", "attributions")
    }
    assert tables["events"]["id"].tolist() == ["e1", "e2", "e3", "e4", "e5"]
    assert tables["events"]["sid"].tolist()[2] == "s"
    assert tables["sessions"][["visitor", "events", "conversions"]].to_numpy().tolist() == [
        ["c", 4, 1],
        ["u", 1, 0],
    ]
    found = tables["attributions"].sort_values("item_id")[["id", "item_id", "click_id"]]
    assert found.astype(object).where(found.notna(), None).to_numpy().tolist() == [
        ["e4", "a", "e2"],
        ["e4", "z", None],
    ]


def test_stages_of_a_run_are_read_from_what_it_prints() -> None:
    printed = "read 3 records\ntime by stage: lake 0.1 s, published_snapshot 1,234.5 s\n"

    assert read_stages(printed) == {"lake": 0.1, "published_snapshot": 1234.5}


def test_a_run_without_times_is_an_error() -> None:
    with pytest.raises(ValueError, match="printed no times: 'nothing'"):
        read_stages("nothing")


def test_nodes_are_those_of_a_command_since_a_moment(tmp_path: Path) -> None:
    results = Home(tmp_path).dbt.run_results
    results.parent.mkdir(parents=True)
    node = {"unique_id": "model.sequen.fct_events", "execution_time": 1.5}
    results.write_text(json.dumps({"results": [node]}), encoding="utf-8")
    written = results.stat().st_mtime

    assert read_nodes(tmp_path, written) == {"fct_events": 1.5}
    assert read_nodes(tmp_path, written + 1) == {}
    assert read_nodes(tmp_path / "other", 0) == {}


def test_disk_is_measured_by_place(tmp_path: Path) -> None:
    exports, home = tmp_path / "exports", tmp_path / "home"
    layout = Home(home)
    for path, size in (
        (exports / "day" / "a.jsonl", 1),
        (layout.lake.rows("events/a.parquet"), 2),
        (layout.warehouse, 3),
        (layout.serving.snapshot, 4),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size * 1024**2)

    assert measure_disk(exports, home) == {
        "exports": 1,
        "lake": 2,
        "warehouse": 3,
        "published": 4,
        "home": 9,
    }


def test_plain_sql_is_that_of_the_models_in_the_order_of_dbt() -> None:
    def node(kind: str, materialized: str) -> dict[str, object]:
        return {"resource_type": kind, "config": {"materialized": materialized}}

    manifest = {
        "nodes": {
            "model.a": node("model", "view"),
            "model.b": node("model", "exact"),
            "model.history": node("model", "history"),
            "seed.s": node("seed", "seed"),
        }
    }
    results = {
        "results": [
            {"unique_id": name, "relation_name": name, "compiled_code": f"select '{name}'"}
            for name in ("seed.s", "model.b", "model.a", "model.history", "test.t")
        ]
    }

    assert plain_statements(manifest, results) == [
        "create or replace table model.b as select 'model.b'",
        "create or replace view model.a as select 'model.a'",
    ]


def test_plain_sql_must_give_as_many_rows_as_dbt(tmp_path: Path) -> None:
    ours, plain = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    for path, rows in ((ours, 2), (plain, 3)):
        with duckdb.connect(path) as engine:
            engine.execute("create table same as select 1 as n")
            engine.execute(f"create table other as select range as n from range({rows})")

    check_same_rows(ours, ours)
    with pytest.raises(RuntimeError, match=r"other numbers of rows in main\.other$"):
        check_same_rows(ours, plain)
