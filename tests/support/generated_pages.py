"""Tables of the documentation that the code decides: `make docs` writes them.

    PYTHONPATH=tests python -m support.generated_pages

A table stands between two comments, `<!-- generated: NAME -->` and `<!-- end -->`. Those of
`docs/settings.md` come from the settings class, those of `docs/events.md` from the table of fields,
that of `docs/glossary.md` from the word list of the lint, and those of `docs/benchmarks.md` and
`docs/sizing.md` from what the benches have measured.
"""

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pydantic

from benchmarks.pages import draw_targets, render_fit, render_sizes, render_targets
from sequen_dagster import SequenComponent, SequenSettings, Source
from sequen_dagster.fields import FIELDS, STANDARD_TYPES
from sequen_dagster.settings import (
    ContractSettings,
    LocationSettings,
    MartsSettings,
    PlaceholderSettings,
    ReportsSettings,
    RunningSettings,
)
from support.words import load_words

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGES: Final = tuple(
    ROOT / "docs" / f"{name}.md"
    for name in ("settings", "events", "glossary", "benchmarks", "sizing")
)
COMPONENT_SCHEMA: Final = ROOT / "docs" / "component.schema.json"
BENCHMARKS: Final = ROOT / "docs" / "images" / "benchmarks.svg"

_TABLE: Final = re.compile(
    r"(?<=^<!-- generated: )(?P<name>[a-z ]+) -->\n.*?(?=^<!-- end -->)", re.MULTILINE | re.DOTALL
)
# Bounds that are patterns, in words.
_PATTERNS: Final[Mapping[str, str]] = {
    r"^[a-z][a-z0-9_]{0,62}$": "lower case, digits and `_`",
    r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62}){0,3}$": (
        "a name, or up to four joined by dots"
    ),
    r"^[0-9]+(\.[0-9]+)?(MB|GB)$": "a number with `MB` or `GB`",
    r"^([01]\d|2[0-3]):[0-5]\d$": "`hh:mm`",
}
# Defaults that depend on the machine, or are longer than a cell.
_DEFAULTS: Final[Mapping[str, str]] = {
    "workers": "one a processor, at most 8",
    "sources": "one source `default` in `exports`",
}


def render_settings(group: str) -> str:
    """The settings of a group, with their variables, defaults, bounds and meanings."""
    schema = SequenSettings.model_json_schema()["properties"]
    rows = [
        (
            f"`{name}`",
            f"`SEQUEN_{name.upper()}`",
            _default(name, SequenSettings.model_fields[name]),
            _bounds(schema[name]),
            SequenSettings.model_fields[name].description or "",
        )
        for name in _settings_by_group()[group]
    ]
    return _table(("setting", "variable", "default", "bounds", "meaning"), rows)


def render_source() -> str:
    """The fields of a source."""
    schema = Source.model_json_schema()["properties"]
    meanings = _attributes_of(Source)
    rows = [
        (f"`{name}`", _default(name, field), _bounds(schema[name]), meanings[name])
        for name, field in Source.model_fields.items()
    ]
    return _table(("field of a source", "default", "bounds", "meaning"), rows)


def _settings_by_group() -> dict[str, list[str]]:
    """The names of the settings, each in the first group that holds it."""
    groups = {
        "home": LocationSettings,
        "contract": ContractSettings,
        "marts": MartsSettings,
        "reports": ReportsSettings,
        "running": RunningSettings,
    }
    # Words that stand for no value belong to the contract and to the marts.
    elsewhere = {"marts": set(PlaceholderSettings.model_fields)}
    return {
        name: [one for one in group.model_fields if one not in elsewhere.get(name, set())]
        for name, group in groups.items()
    }


def _default(name: str, field: pydantic.fields.FieldInfo) -> str:
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), {}):
        return "none"
    if isinstance(default, tuple):
        return ", ".join(f"`{one}`" for one in default)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"{default:,}" if isinstance(default, int) else f"`{default}`"


def _bounds(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema demands, in words."""
    # Any: JSON.
    for one in schema.get("anyOf", ()):
        if one.get("type") not in (None, "null"):
            return _bounds(one)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']:,} to {schema['maximum']:,}"
    if "pattern" in schema:
        return _PATTERNS[schema["pattern"]]
    match schema.get("type"):
        case "boolean":
            return "`true`, `false`"
        case "array":
            most = schema.get("maxItems")
            return f"a list of at most {most}" if most else "a list"
        case "object":
            return "a table"
        case _:
            return _FORMATS.get(schema.get("format", ""), "a text")


_FORMATS: Final[Mapping[str, str]] = {
    "path": "a path",
    "password": "an address with `https://`",
}


def _attributes_of(model: type) -> dict[str, str]:
    """The lines of a docstring's `Attributes:`."""
    _, _, text = (inspect.getdoc(model) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", text, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}


def render_types() -> str:
    """The standard types with what each must carry."""
    rows = [
        (f"`{name}`", ", ".join(f"`{field}`" for field in _mandatory_for(name)))
        for name in STANDARD_TYPES
    ]
    return _table(("type", "must also have"), [*rows, ("any type of your own", "")])


def _mandatory_for(event_type: str) -> Iterator[str]:
    return (field.name for field in FIELDS if event_type in field.mandatory_for)


def render_fields() -> str:
    """The reserved fields."""
    rows = [
        (
            f"`{field.name}`" + (f", `{field.alias}`" if field.alias else ""),
            "all" if field.mandatory else ", ".join(f"`{name}`" for name in field.mandatory_for),
            field.description,
        )
        for field in FIELDS
    ]
    return _table(("field, other spelling", "mandatory for", "meaning"), rows)


def render_former_words() -> str:
    """The words that others have replaced."""
    rows = [(", ".join(word.former), word.use) for word in load_words()]
    return _table(("former", "use"), rows)


def tables() -> dict[str, str]:
    """Every generated table, by its name in the pages."""
    settings = {f"settings of {group}": render_settings(group) for group in _settings_by_group()}
    return {
        **settings,
        "source": render_source(),
        "types": render_types(),
        "fields": render_fields(),
        "former words": render_former_words(),
        "sizes": render_sizes(),
        "targets": render_targets(),
        "fitted lines": render_fit(),
    }


def with_tables(page: str) -> str:
    """A page with its generated tables as the code decides them."""
    known = tables()
    return _TABLE.sub(lambda match: f"{match['name']} -->\n{known[match['name']]}\n", page)


def names_of_tables(page: str) -> list[str]:
    """The generated tables that a page holds."""
    return [match["name"] for match in _TABLE.finditer(page)]


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def component_schema() -> str:
    """The schema of the component's attributes, for editors and for who reads them by machine."""
    return json.dumps(SequenComponent.model().model_json_schema(), indent=2) + "\n"


def write_pages() -> None:
    """Write the tables into their pages, the schema and the picture of the benches beside them."""
    COMPONENT_SCHEMA.write_text(component_schema(), encoding="utf-8")
    BENCHMARKS.write_text(draw_targets(), encoding="utf-8")
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_pages()
