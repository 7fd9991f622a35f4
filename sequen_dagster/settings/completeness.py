"""What a user changes of the attributes of Good / Better / Best, in settings or in a file.

The attributes themselves stand in the dbt project's seed `completeness_attributes.csv`.
"""

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import pydantic

Tier = Literal["good", "better", "best"]
TIERS: Final[tuple[Tier, ...]] = ("good", "better", "best")
# What a tier unlocks, in the words of the event document ("Good, Better, Best Data").
UNLOCKS: Final[dict[str, str]] = {
    "good": "covers the mandatory requirements for a baseline model",
    "better": "provides additional data to enhance performance",
    "best": "provides additional data to enhance performance",
}

Comparable = Literal["page_type", "click_type", "conversion_type"]
_COMPARABLES: Final[tuple[Comparable, ...]] = ("page_type", "click_type", "conversion_type")
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
Value = Annotated[str, pydantic.Field(min_length=1, max_length=100)]
Alias = Annotated[str, pydantic.Field(pattern=rf"^{_NAME}$")]
AttributeName = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/. -]{0,62}$")]
Text = Annotated[str, pydantic.Field(max_length=1000)]
_WAYS: Final = (
    "field", "reserved", "type", *_COMPARABLES, "resolved_page_view", "dwell_time_event",
)  # fmt: skip
_FORMS: Final = {
    "applies_to": '[{"type": "page_view", "page_type": ["cart", "basket"]}]',
    "detectors": '[{"field": "page_id"}, {"field": ["lat", "lon"]}, {"type": "form_start"}]',
    "aliases": '["store.region", "store.city"]',
}


class Scope(pydantic.BaseModel):
    """Events that an attribute applies to; without anything, every event.

    Attributes:
        type: the event type.
        page_type: values of the field, any of which suffices.
        click_type: values of the field, any of which suffices.
        conversion_type: values of the field, any of which suffices.
        is_session_first: only the first page_view of each session (kind `field`).

    Example:
        >>> Scope(type="page_view", page_type=("cart", "basket")).rows()[0]
        {'scope': 'type', 'type': 'page_view', 'field': 'page_type', 'value': 'cart'}
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Value | None = None
    page_type: tuple[Value, ...] = ()
    click_type: tuple[Value, ...] = ()
    conversion_type: tuple[Value, ...] = ()
    is_session_first: bool = False

    @pydantic.model_validator(mode="after")
    def _is_one_condition(self) -> Self:
        conditions = [name for name in _COMPARABLES if getattr(self, name)]
        if len(conditions) > 1:
            message = f"must name one of {', '.join(_COMPARABLES)}; write a scope for each"
            raise ValueError(message)
        if conditions and self.type is None:
            message = f"must name the type of the events that have {conditions[0]}"
            raise ValueError(message)
        if self.is_session_first and (conditions or self.type not in (None, "page_view")):
            message = "is_session_first stands alone: it is the first page_view of each session"
            raise ValueError(message)
        return self

    def rows(self) -> list[dict[str, str | None]]:
        """The scope in the columns of the seed completeness_scopes."""
        if self.is_session_first:
            return [_row(scope="session_first_page_view", type="page_view")]
        if self.type is None:
            return [_row(scope="every_event")]
        conditions = [(name, value) for name in _COMPARABLES for value in getattr(self, name)]
        if not conditions:
            return [_row(scope="type", type=self.type)]
        return [
            _row(scope="type", type=self.type, field=name, value=value)
            for name, value in conditions
        ]


class Detector(pydantic.BaseModel):
    """One way to carry or match an attribute; the seed completeness_detectors says what each is.

    Attributes:
        field: path of a custom field; several have to be carried together.
        value: the text that the field has to be (kind `event`).
        reserved: a reserved field (kind `field`); with `type` on events of that type only.
        type: an event type; beside `reserved`, the type that it counts on.
        page_type: a value of the field.
        click_type: a value of the field.
        conversion_type: a value of the field.
        resolved_page_view: the page_view that the event resolves to carries it (kind `field`).
        dwell_time_event: a dwell_time event resolves to the page_view (kind `field`).

    Example:
        >>> [row["name"] for row in Detector(field=("lat", "lon")).rows()]
        ['lat', 'lon']
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    field: Alias | tuple[Alias, ...] | None = None
    value: Value | None = None
    reserved: Value | None = None
    type: Value | None = None
    page_type: Value | None = None
    click_type: Value | None = None
    conversion_type: Value | None = None
    resolved_page_view: Literal[True] | None = None
    dwell_time_event: Literal[True] | None = None

    @pydantic.model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if len(self._ways()) != 1:
            message = f"must name exactly one of {', '.join(_WAYS)}"
            raise ValueError(message)
        if self.value is not None and self.field is None:
            message = "value belongs to a field"
            raise ValueError(message)
        return self

    def _ways(self) -> list[str]:
        given = [name for name in _WAYS if getattr(self, name) not in (None, ())]
        return [name for name in given if name != "type"] if self.reserved else given

    def rows(self) -> list[dict[str, str | None]]:
        """The detector in the columns of the seed completeness_detectors."""
        (way,) = self._ways()
        if way == "field":
            paths = (self.field,) if isinstance(self.field, str) else self.field or ()
            return [_row(detector=way, name=path, value=self.value) for path in paths]
        if way == "reserved":
            return [_row(detector=way, name=self.reserved, type=self.type)]
        given = getattr(self, way)
        return [_row(detector=way, value=None if given is True else given)]


class AttributeOverride(pydantic.BaseModel):
    """What is changed of one attribute; what is left out stays as the seed says.

    Attributes:
        tier: good, better or best.
        kind: `field` (a share of the events must carry it) or `event` (enough must be seen).
        applies_to: events that it applies to, in place of the seed's own; any scope suffices.
        detectors: what counts as carrying it, in place of the seed's own.
        aliases: further fields that count as carrying it.
        threshold: share of the applicable events that must carry it, above 0, at most 1.
        min_events: matching events that must have been seen.
        waived: whether it is taken out of its tier; the report says so.
        why: why it matters.
        fix: how to send it.
        example: an event that carries it, as JSON.

    Example:
        >>> AttributeOverride(aliases=("geo.zip",), threshold="0.75").threshold
        Decimal('0.75')
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tier: Tier | None = None
    kind: Literal["field", "event"] | None = None
    applies_to: tuple[Scope, ...] | None = None
    detectors: tuple[Detector, ...] | None = None
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

    @pydantic.field_validator("applies_to", "detectors", mode="before")
    @classmethod
    def _is_a_list(cls, given: Any, info: pydantic.ValidationInfo) -> Any:  # Any: not validated yet
        if isinstance(given, str):
            message = f"must be a list, such as {_FORMS[str(info.field_name)]}; a text is not read"
            raise ValueError(message)
        return given

    def scope_rows(self) -> list[dict[str, str | None]]:
        """What it applies to, in the columns of the seed completeness_scopes."""
        return [row for scope in self.applies_to or () for row in scope.rows()]

    def detector_rows(self) -> list[dict[str, Any]]:  # Any: text, number or truth
        """What counts, in the columns of the seed completeness_detectors; aliases are added."""
        own = [(detector, False) for detector in self.detectors or ()]
        added = [(Detector(field=alias), True) for alias in self.aliases]
        return [
            {**row, "detector_number": number, "is_added": is_added}
            for number, (detector, is_added) in enumerate([*own, *added], start=1)
            for row in detector.rows()
        ]

    def over(self, other: "AttributeOverride") -> "AttributeOverride":
        """A copy of `other` in which what is set here takes the place of what was there."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return other.model_copy(update=given)


Overrides = dict[AttributeName, AttributeOverride]


def _row(**values: str | None) -> dict[str, str | None]:
    return values


def read_overrides(path: Path) -> Overrides:
    """Overrides from a csv file with the columns of the seed, `attribute` and any others.

    Args:
        path: UTF-8, with a header; empty cells are not set; `applies_to`, `detectors` and several
            `aliases` are JSON, as in the setting `completeness`.

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
    for column in _FORMS.keys() & values.keys():
        values[column] = _read_list(path, line, column, values[column])
    try:
        attribute = pydantic.TypeAdapter(AttributeName).validate_python(name)
        return attribute, AttributeOverride(**values)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(str(part) for part in problem["loc"]) or "attribute"
        message = f"{path.name}, line {line}, {column}: {problem['msg']}"
        raise ValueError(message) from None


def _read_list(path: Path, line: int, column: str, cell: str) -> Any:  # Any: JSON, not checked yet
    """The list in a cell; a cell of one alias may be the alias alone."""
    if column == "aliases" and re.fullmatch(_NAME, cell.strip()):
        return (cell.strip(),)
    try:
        found = json.loads(cell)
    except ValueError:
        found = None
    if not isinstance(found, list):
        message = f"{path.name}, line {line}, {column}: must be JSON, such as {_FORMS[column]}"
        raise ValueError(message)
    return found
