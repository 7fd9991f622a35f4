"""The badge and the head of the report: right size, not blank, and the same each time."""

import struct
import zlib
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sequen_dagster.reports.pictures import HEAD_SIZE, draw_badge, draw_head


def numbers(reached: int = 1, **sections: Any) -> dict[str, Any]:
    """What the pictures show of a report in which so many tiers are reached."""
    tiers = [
        {
            "source": "(all)",
            "tier": tier,
            "is_reached": place < reached,
            "score": 1.0 if place < reached else 0.5,
            "attribute_count": 6,
            "complete_attribute_count": 6 if place < reached else 5,
            "is_accepted_share_met": True,
            "accepted_share": 0.99,
            "min_accepted_share": 0.95,
            "blocking_attributes": [] if place < reached else ["referral_source"],
            "unlocks": "provides additional data to enhance performance",
        }
        for place, tier in enumerate(("good", "better", "best"))
    ]
    return {
        "tiers": tiers,
        "attributes": [attribute("referral_source")],
        "fixes": [],
        "readiness": [],
        "events": {
            "events": 3,
            "first_at": "2025-07-01T00:00:00",
            "last_at": "2025-07-06T00:00:00",
        },
        "record_counts": {"accepted": 3, "records_read": 4},
        "made": {"at": "2025-07-07T00:00:00"},
        **sections,
    }


def attribute(name: str) -> dict[str, Any]:
    counts = {"carrying_events": 1, "applicable_events": 4, "min_events": None}
    share = {"kind": "field", "status": "partial", "coverage": 0.25, "threshold": 0.95}
    return {"source": "(all)", "attribute": name, **counts, **share}


def pixels(png: bytes) -> tuple[tuple[int, int], set[bytes]]:
    """Width and height of a PNG of 8 bits a channel, and the bytes of its lines, packed."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = struct.unpack(">II", png[16:24])
    place, packed = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind = png[place + 4 : place + 8]
        packed += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    raw = zlib.decompress(packed)
    line = 1 + 4 * size[0]
    return size, {raw[start : start + line] for start in range(0, len(raw), line)}


def test_head_has_its_size_and_is_not_blank() -> None:
    size, lines = pixels(draw_head(numbers()))

    assert size == HEAD_SIZE == (1200, 630)
    assert len(lines) > 200


def test_same_numbers_give_the_same_picture() -> None:
    assert draw_head(numbers()) == draw_head(numbers())
    assert draw_head(numbers()) != draw_head(numbers(reached=2))


@pytest.mark.bad_input(33, 57)
@pytest.mark.parametrize(
    "text",
    ["<b>&amp;]]>", "</text><script>1</script>", "a\x00\x1b\u202eb\ufffe", "日本", "x" * 9_999],
)
def test_any_name_can_be_drawn(text: str) -> None:
    size, _ = pixels(draw_head(numbers(reached=0, attributes=[attribute(text)])))

    assert size == HEAD_SIZE


def test_empty_report_has_a_head() -> None:
    empty = numbers(reached=0, attributes=[], events={"events": 0, "first_at": None})

    assert pixels(draw_head(empty))[0] == HEAD_SIZE


@pytest.mark.parametrize(
    ("reached", "words"),
    [(0, "no tier yet"), (1, "good"), (2, "better"), (3, "best")],
)
def test_badge_names_the_tier(reached: int, words: str) -> None:
    badge = ET.fromstring(draw_badge(numbers(reached)))  # noqa: S314  # ours

    assert badge.attrib["aria-label"] == f"event data: {words}"
    assert badge.findtext("{*}title") == f"event data: {words}"
    texts = [one.text for one in badge.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["event data", words]
    assert badge.attrib["height"] == "20"
    assert not [
        name for one in badge.iter() for name in one.attrib if "href" in name or name[:2] == "on"
    ]
