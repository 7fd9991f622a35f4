"""What a user changes of the attributes: by settings, by a file, and what comes of it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.errors import SettingsError
from sequen_dagster.marts.overrides import check_overrides
from sequen_dagster.marts.warehouse import connect, create_raw_tables, load_overrides
from sequen_dagster.settings import SequenSettings, load_settings
from sequen_dagster.settings.completeness import (
    AttributeOverride,
    Detector,
    Scope,
    read_overrides,
)
from support.histories import after, clicked, event
from support.homes import settings_of
from support.lake import home_of
from support.replay import Load, SmallWarehouse, shared_recording


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "attributes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_gives_what_is_not_empty(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "attribute,threshold,aliases,waived,min_events,detectors,applies_to\n"
        'geolocation,0.5,"[""geo.zip"", ""place""]",,,,\n'
        "push_notifications,,pushed,true,3,,\n"
        'cart_content,,,,,"[{""field"": [""a"", ""b""]}]","[{""type"": ""click""}]"\n',
    )

    assert read_overrides(path) == {
        "geolocation": AttributeOverride(threshold=Decimal("0.5"), aliases=("geo.zip", "place")),
        "push_notifications": AttributeOverride(aliases=("pushed",), waived=True, min_events=3),
        "cart_content": AttributeOverride(
            detectors=(Detector(field=("a", "b")),), applies_to=(Scope(type="click"),)
        ),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,tier\nx,good\n", "must have a column attribute"),
        ("attribute,shade\nx,red\n", "must have a column attribute"),
        ("attribute,tier\nx,gold\n", "line 2, tier: Input should be 'good', 'better' or 'best'"),
        ("attribute,tier\nx,good\nx,best\n", "line 3: x is there twice"),
        ("attribute,tier\nx\n", "line 2: it has more or fewer cells"),
        ("attribute,tier\n<b>,good\n", "line 2, attribute: String should match"),
        ("attribute,threshold\nx,0\n", "line 2, threshold: Input should be greater than 0"),
        ("attribute,threshold\nx,1.000001\n", "line 2, threshold: Input should be less than"),
        ("attribute,aliases\nx,a|b\n", 'aliases: must be JSON, such as ["store.region", '),
        ("attribute,detectors\nx,field:q|type:z\n", 'detectors: must be JSON, such as [{"field"'),
        ("attribute,applies_to\nx,click\n", 'applies_to: must be JSON, such as [{"type"'),
        (
            "attribute,detectors\nx,[{}]\n",
            "line 2, detectors.0: Value error, must name exactly one",
        ),
        ("attribute,example\nx,{}\n", "must be an event as JSON"),
    ],
)
def test_bad_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(SettingsError, match=r"completeness_file") as caught:
        load_settings(tmp_path, completeness_file=path)

    assert message in str(caught.value)


def test_threshold_of_one_is_legal() -> None:
    assert AttributeOverride(threshold=Decimal(1)).threshold == 1


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="completeness_file cannot be read"):
        load_settings(tmp_path, completeness_file="none.csv")


def test_settings_win_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "attribute,threshold,waived\ngeolocation,0.5,true\n")
    settings = load_settings(
        tmp_path, completeness_file=path, completeness={"geolocation": {"threshold": "0.6"}}
    )

    override = settings.completeness["geolocation"]
    assert (override.threshold, override.waived) == (Decimal("0.6"), True)


def test_other_attributes_are_other_tables(tmp_path: Path) -> None:
    plain = load_settings(tmp_path)
    changed = load_settings(tmp_path, completeness={"geolocation": {"waived": True}})

    assert plain.marts_fingerprint() != changed.marts_fingerprint()
    assert plain.marts_fingerprint() == load_settings(tmp_path).marts_fingerprint()


def overridden(tmp_path: Path, **attributes: dict[str, Any]) -> SequenSettings:
    return settings_of(tmp_path, completeness=attributes)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"tier": "good", "kind": "event"}, "detectors"),
        ({"tier": "good", "aliases": ["x"]}, "kind"),
        ({"kind": "field", "aliases": ["x"], "threshold": "0.5"}, "tier"),
        ({"tier": "good", "kind": "field", "aliases": ["x"]}, "threshold"),
    ],
)
def test_attribute_of_ones_own_has_to_be_whole(
    tmp_path: Path, override: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=rf"completeness.mine: it needs .*{message}"):
        check_overrides(overridden(tmp_path, mine=override))


def test_whole_attribute_of_ones_own_is_taken(tmp_path: Path) -> None:
    check_overrides(overridden(tmp_path, mine={"tier": "good", "kind": "event", "aliases": ["x"]}))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ({"detectors": "field:q|type:x"}, r'must be a list, such as \[{"field": "page_id"}'),
        ({"applies_to": "click"}, r'must be a list, such as \[{"type": "page_view"'),
        ({"detectors": [{"field": "q", "type": "x"}]}, "must name exactly one of field, reserved"),
        ({"detectors": [{"type": "x", "value": "y"}]}, "value belongs to a field"),
        ({"detectors": [{"field": "<b>"}]}, "String should match"),
        ({"applies_to": [{"page_type": ["a"]}]}, "must name the type of the events"),
        ({"applies_to": [{"type": "x", "page_type": ["a"], "click_type": ["b"]}]}, "name one of"),
        ({"applies_to": [{"type": "click", "is_session_first": True}]}, "stands alone"),
    ],
)
def test_rules_that_are_not_whole_are_refused(
    tmp_path: Path, override: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        overridden(tmp_path, geolocation=override)


@pytest.mark.parametrize(
    ("attribute", "override", "problem"),
    [
        ("push_notifications", {"detectors": [{"reserved": "rank"}]}, "detector reserved"),
        ("push_notifications", {"detectors": [{"dwell_time_event": True}]}, "dwell_time_event"),
        ("push_notifications", {"applies_to": [{"is_session_first": True}]}, "is_session_first"),
        ("geolocation", {"detectors": [{"field": "q", "value": "x"}]}, "a field's value"),
        ("geolocation", {"detectors": [{"reserved": "color"}]}, "reserved field color"),
    ],
)
def test_rules_that_the_kind_cannot_have_are_refused(
    tmp_path: Path, attribute: str, override: dict[str, Any], problem: str
) -> None:
    with pytest.raises(
        SettingsError, match=rf"completeness.{attribute}: .* cannot have .*{problem}"
    ):
        check_overrides(overridden(tmp_path, **{attribute: override}))


def test_overrides_are_rows_of_the_warehouse(tmp_path: Path) -> None:
    # Quotes and braces are data there, neither SQL nor a template.
    settings = overridden(
        tmp_path,
        geolocation={"aliases": ["geo.zip", "place"], "why": "it's {{ 7 * 7 }}"},
        mine={
            "tier": "best",
            "kind": "event",
            "detectors": [{"type": "a b"}],
            "applies_to": [{"type": "click", "click_type": ["x", "y"]}, {}],
            "min_events": 2,
        },
    )
    home_of(settings).make()
    with connect(settings) as warehouse:
        create_raw_tables(warehouse)
        load_overrides(settings, warehouse)
        load_overrides(settings, warehouse)
        rows = warehouse.execute(
            "select attribute, tier, why, min_events"
            " from raw.completeness_overrides order by attribute"
        ).fetchall()
        detectors = warehouse.execute(
            "select attribute, detector_number, detector, name, type, value, is_added"
            " from raw.completeness_override_detectors order by all"
        ).fetchall()
        scopes = warehouse.execute(
            "select attribute, scope, type, field, value"
            " from raw.completeness_override_scopes order by all"
        ).fetchall()

    assert rows == [
        ("geolocation", None, "it's {{ 7 * 7 }}", None),
        ("mine", "best", None, 2),
    ]
    assert detectors == [
        ("geolocation", 1, "field", "geo.zip", None, None, True),
        ("geolocation", 2, "field", "place", None, None, True),
        ("mine", 1, "type", None, None, "a b", False),
    ]
    assert scopes == [
        ("mine", "every_event", None, None, None),
        ("mine", "type", "click", "click_type", "x"),
        ("mine", "type", "click", "click_type", "y"),
    ]


def test_changed_attributes_are_measured_as_changed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> None:
    settings = overridden(
        tmp_path,
        geolocation={"aliases": ["zip"], "threshold": "0.5"},
        search_query={"waived": True},
        logged_in={"detectors": [{"field": "member"}]},
        mine={
            "tier": "good",
            "kind": "field",
            "applies_to": [{"type": "click", "click_type": ["like"]}],
            "aliases": ["shade"],
            "threshold": "1",
        },
    )
    rows = [
        event(after(0), id="a", cid="c", zip=1, member=True),
        event(after(1), id="b", cid="c", logged_in=True),
        clicked(after(2), id="d", cid="c", shade="red"),
        clicked(after(3), id="e", cid="c"),
    ]
    with SmallWarehouse(shared_recording(tmp_path_factory, worker_id)) as warehouse:
        load_overrides(settings, warehouse.connection)
        warehouse.load(Load("a", tuple(rows)))
        warehouse.build()
        found = warehouse.connection.execute(
            "select attribute, tier, applicable_events, carrying_events, threshold, status,"
            " is_waived from rpt_completeness_attributes where source = '(all)' and period = 'all'"
            " and attribute in ('geolocation', 'search_query', 'logged_in', 'mine') order by 1"
        ).fetchall()
        good = warehouse.connection.execute(
            "select attribute_count from rpt_completeness_tiers"
            " where source = '(all)' and period = 'all' and tier = 'good'"
        ).fetchone()

    assert found == [
        ("geolocation", "good", 4, 1, 0.5, "partial", False),
        ("logged_in", "good", 4, 1, 0.95, "partial", False),
        ("mine", "good", 2, 1, 1.0, "partial", False),
        ("search_query", "good", 0, 0, 0.95, "not_applicable", True),
    ]
    assert good == (6,)
