"""What a run may ask of the ops: by config, which a person sees, and by tags, which ours set."""

from datetime import date

import dagster as dg
import pydantic
import pytest

from sequen_dagster.errors import SettingsError
from sequen_dagster.lake.config import LakeConfig, order_of
from sequen_dagster.lake.drain import Order
from sequen_dagster.marts.config import MartsConfig
from sequen_dagster.names import NAMES

CONFIGS = [LakeConfig, MartsConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_has_a_default_and_a_description(config: type[dg.Config]) -> None:
    for name, field in config.to_fields_dict().items():
        assert field.default_provided, name
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    "day", ["2025-13-01", "2025-02-29", "20250714", "14.07.2025", " 2025-07-14"]
)
@pytest.mark.parametrize("field", ["replay_since", "replay_until"])
def test_text_that_is_not_a_day_is_refused(field: str, day: str) -> None:
    message = f"{field}\n  Value error, {day!r} is not a day. Give one as YYYY-MM-DD, such as"

    with pytest.raises(pydantic.ValidationError) as caught:
        LakeConfig.model_validate({field: day})

    assert message in str(caught.value)


def test_days_may_be_the_same_but_not_in_the_wrong_order() -> None:
    config = LakeConfig.model_validate({"replay_since": "2024-02-29", "replay_until": "2024-02-29"})
    assert (config.choice().since, config.choice().until) == (date(2024, 2, 29), date(2024, 2, 29))

    with pytest.raises(
        pydantic.ValidationError,
        match=r"replay_since \(2025-07-02\) is after replay_until \(2025-07-01\)",
    ):
        LakeConfig.model_validate({"replay_since": "2025-07-02", "replay_until": "2025-07-01"})


@pytest.mark.parametrize(
    "pattern", ["", " ", "/a.jsonl", "2025/", "a//b", "./a", "../a", "a/../b", " a", "s3://b/a"]
)
def test_pattern_that_can_match_no_path_is_refused(pattern: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="can match no file"):
        LakeConfig.model_validate({"replay_paths": ["a", pattern]})


@pytest.mark.parametrize("pattern", ["a", "*", "2025-07-*/*", "default/a b.jsonl", "...", ".a/..b"])
def test_pattern_that_can_match_a_path_is_taken(pattern: str) -> None:
    assert LakeConfig.model_validate({"replay_paths": [pattern]}).choice().paths == (pattern,)


def test_order_of_a_run_is_in_its_tags() -> None:
    name = "0123456789abcdef"

    assert order_of({"sequen/automation": "true"}, NAMES) == Order()
    assert order_of({"sequen/file_group": name}, NAMES) == Order(name)
    assert order_of({"sequen/file_group": 2 * name}, NAMES) == Order(2 * name)
    assert order_of({"sequen/only_stable": "true"}, NAMES) == Order(is_stable=True)


@pytest.mark.parametrize("name", ["a", "0123456789ABCDEF", "0" * 17, "0" * 33])
def test_tag_that_names_no_file_group_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="tag sequen/file_group names no file group; only the"):
        order_of({"sequen/file_group": name}, NAMES)
