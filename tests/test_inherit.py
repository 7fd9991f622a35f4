"""What records take from envelopes and folders."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.exports.partitions import folder_fields
from support.builders import Verdict, event, validate_file


def bare(**fields: Any) -> str:
    """An event that does not say who and when."""
    return json.dumps(
        event("scroll", **{"id": ..., "uid": ..., "original_timestamp": ..., **fields})
    )


def validated(tmp_path: Path, text: str, name: str = "a.json") -> Verdict:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    return validate_file(tmp_path, text, name)


AT = '"original_timestamp":"2025-07-14T09:15:22Z"'


def test_envelope_says_who_and_when(tmp_path: Path) -> None:
    verdict = validated(tmp_path, f'{{"uid":7,"session_id":"s",{AT},"events":[{bare()},{bare()}]}}')

    assert [(row["uid"], row["sid"]) for row in verdict.accepted] == [("7", "s")] * 2
    assert verdict.warnings == {
        ("scroll", "inherited_from_envelope"): 2, ("scroll", "coerced"): 2}  # fmt: skip


@pytest.mark.parametrize(
    ("giver", "own", "uid", "warned"),
    [
        ('"uid":"u"', "v", "v", False),
        ('"uid":"u"', "", "u", True),
        ('"uid":"u"', "undefined", "u", True),
        ('"uid":"undefined"', ..., None, False),
        ('"uid":" "', ..., None, False),
    ],
)
def test_what_is_absent_takes_and_gives_nothing(
    tmp_path: Path, giver: str, own: Any, uid: str | None, warned: bool
) -> None:
    text = f'{{{giver},{AT},"events":[{bare(uid=own, cid="c", original_timestamp="2025-07-14")}]}}'
    verdict = validated(tmp_path, text)

    assert [row["uid"] for row in verdict.accepted] == [uid]
    assert ("inherited_from_envelope" in verdict.warned) == warned
    assert ("placeholder_id" in verdict.warned) == (own == "undefined")


def test_nearest_giver_counts_envelope_before_folder(tmp_path: Path) -> None:
    inner = f'{{"uid":"near",{AT},"events":[{bare()}]}}'
    text = f'{{"uid":"far","cid":"c","events":[{inner},{bare(original_timestamp="2025-07-14")}]}}'
    verdict = validated(tmp_path, text, "uid=folder/sid=s/a.json")

    assert [(row["uid"], row["cid"], row["sid"]) for row in verdict.accepted] == [
        ("near", "c", "s"), ("far", "c", "s")]  # fmt: skip


def test_inherited_ingest_time_counts_as_given(tmp_path: Path) -> None:
    text = f'{{"uid":"u",{AT},"ingest_timestamp":"2025-07-15","events":[{bare()}]}}'

    assert validated(tmp_path, text).accepted[0]["given_ingest_timestamp"] is not None


def test_equal_events_of_two_people_stay_two(tmp_path: Path) -> None:
    text = "".join(f'{{"uid":"{uid}",{AT},"events":[{bare()}]}}' for uid in "uv")
    verdict = validated(tmp_path, text)
    said = '{"type":"scroll"}{"original_timestamp":"2025-07-14T09:15:22Z","uid":"u"}'

    assert len({row["id"] for row in verdict.accepted}) == 2
    assert verdict.accepted[0]["record_md5"] == hashlib.md5(said.encode()).hexdigest()  # noqa: S324  # as ours


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_folder_gives_text_that_is_not_coerced(tmp_path: Path, name: str) -> None:
    record = {"original_timestamp": "2025-07-14", "uid": "u", "item_id": "x"}
    csv = f"{','.join(record)}\n{','.join(record.values())}\n"
    text = csv if name.endswith("csv") else json.dumps(record)
    verdict = validated(tmp_path, text, f"type=impression/rank=3/client_id=7/dt=2025/{name}")
    (row,) = verdict.accepted

    assert (row["type"], row["rank"], row["cid"], row["properties"]) == ("impression", 3, "7", "{}")
    assert verdict.warnings == {}


def test_which_folders_are_read() -> None:
    path = "type=a%20b/id=1/item_id=2/uid=__HIVE_DEFAULT_PARTITION__/dt=1/x/cid=%5CN/sid=/a=b.json"

    assert folder_fields(path, "reserved") == {"type": b'"a b"'}
    assert folder_fields(path, "all") == {"type": b'"a b"', "dt": b'"1"'}
    assert folder_fields(path, "off") == {}
    assert folder_fields("uid=1/uid=2/a", "reserved") == {"uid": b'"2"'}
