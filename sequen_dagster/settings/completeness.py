"""What a user changes of the attributes of Good / Better / Best, in settings or in a file.

The attributes themselves stand in the dbt project's seed `completeness_attributes.csv`.
"""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic

Tier = Literal["good", "better", "best"]
TIERS: Final[tuple[Tier, ...]] = ("good", "better", "best")

# The grammar that dbt_project/seeds/_seeds.yml describes.
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
_VALUE: Final = r"[^;|\[\]=+@]{1,100}"
_DETECTOR: Final = (
    rf"(field:{_NAME}(\+{_NAME})*|field:{_NAME}={_VALUE}|reserved:[a-z_]+(@{_VALUE})?"
    rf"|(type|page_type|click_type|conversion_type):{_VALUE}|resolved_page_view|dwell_time_event)"
)
_CLAUSE: Final = (
    r"(\*|session_first_page_view"
    rf"|{_VALUE}(\[(page_type|click_type|conversion_type)={_VALUE}(\|{_VALUE})*\])?)"
)
Detectors = Annotated[str, pydantic.Field(pattern=rf"^{_DETECTOR}(\|{_DETECTOR})*$")]
Clauses = Annotated[str, pydantic.Field(pattern=rf"^{_CLAUSE}(;{_CLAUSE})*$")]
Alias = Annotated[str, pydantic.Field(pattern=rf"^{_NAME}$")]
AttributeName = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/. -]{0,62}$")]
Text = Annotated[str, pydantic.Field(max_length=1000)]


class AttributeOverride(pydantic.BaseModel):
    """What is changed of one attribute; what is left out stays as the seed says.

    Attributes:
        tier: good, better or best.
        kind: `field` (a share of the events must carry it) or `event` (enough must be seen).
        applies_to: clauses of events, see the seed's description.
        detectors: what counts as carrying it, in place of the seed's own.
        aliases: further fields that count as carrying it.
        threshold: share of the applicable events that must carry it, above 0, at most 1.
        min_events: matching events that must have been seen.
        waived: whether it is taken out of its tier; the report says so.
        why: why it matters.
        fix: how to send it.
        example: an event that carries it, as JSON.

    Example:
        >>> AttributeOverride(aliases=("geo.zip",)).more_detectors
        'field:geo.zip'
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tier: Tier | None = None
    kind: Literal["field", "event"] | None = None
    applies_to: Clauses | None = None
    detectors: Detectors | None = None
    aliases: tuple[Alias, ...] = ()
    threshold: Annotated[Decimal, pydantic.Field(gt=0, le=1, decimal_places=6)] | None = None
    min_events: Annotated[int, pydantic.Field(gt=0)] | None = None
    waived: bool | None = None
    why: Text | None = None
    fix: Text | None = None
    example: Text | None = None

    @pydantic.field_validator("example")
    @classmethod
    def _example_is_an_event(cls, example: str | None) -> str | None:
        if example is not None:
            try:
                is_event = isinstance(json.loads(example).get("type"), str)
            except (ValueError, AttributeError):
                is_event = False
            if not is_event:
                message = "must be an event as JSON, with its type"
                raise ValueError(message)
        return example

    @property
    def more_detectors(self) -> str | None:
        """The aliases as detectors."""
        return "|".join(f"field:{alias}" for alias in self.aliases) or None

    def over(self, other: "AttributeOverride") -> "AttributeOverride":
        """A copy of `other` in which what is set here takes the place of what was there."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return other.model_copy(update=given)


Overrides = dict[AttributeName, AttributeOverride]


def read_overrides(path: Path) -> Overrides:
    """Overrides from a csv file with the columns of the seed, `attribute` and any others.

    Args:
        path: UTF-8, with a header; empty cells are not set; `aliases` are separated by `|`.

    Returns:
        Overrides by attribute.

    Raises:
        ValueError: a column, an attribute or a value is wrong; the message names the line.
        OSError: the file cannot be read.
    """
    found: Overrides = {}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = csv.DictReader(handle, strict=True)
        known = {"attribute", *AttributeOverride.model_fields}
        unknown = sorted(set(rows.fieldnames or ()) - known)
        if unknown or "attribute" not in (rows.fieldnames or ()):
            others = ", ".join(sorted(known - {"attribute"}))
            got = ", ".join(rows.fieldnames or ())
            message = f"{path.name} must have a column attribute, and may have {others}; got {got}"
            raise ValueError(message)
        for row in rows:
            attribute, override = _override_of(path, rows.line_num, row)
            if attribute in found:
                message = f"{path.name}, line {rows.line_num}: {attribute} is there twice"
                raise ValueError(message)
            found[attribute] = override
    return found


def _override_of(
    path: Path, line: int, row: dict[str, str]
) -> tuple[AttributeName, AttributeOverride]:
    if None in row or None in row.values():
        message = f"{path.name}, line {line}: it has more or fewer cells than the header"
        raise ValueError(message)
    values: dict[str, Any] = {name: cell for name, cell in row.items() if cell.strip()}
    name = values.pop("attribute", "")
    if "aliases" in values:
        values["aliases"] = tuple(values["aliases"].split("|"))
    try:
        attribute = pydantic.TypeAdapter(AttributeName).validate_python(name)
        return attribute, AttributeOverride(**values)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(str(part) for part in problem["loc"]) or "attribute"
        message = f"{path.name}, line {line}, {column}: {problem['msg']}"
        raise ValueError(message) from None
