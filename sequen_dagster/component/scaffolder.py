"""Component: what `dg scaffold defs sequen_dagster.SequenComponent` writes, with comments."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pydantic
import yaml

from sequen_dagster.component.attributes import EXAMPLES
from sequen_dagster.errors import SettingsError
from sequen_dagster.names import Names
from sequen_dagster.settings import GivenSettings

_GIVEN: Final = ("home", "exports", "sensors")
# What a scaffold gives is not among what it only shows.
_LEFT_OUT: Final = (*_GIVEN, "follow_links")
_VARIABLE: Final = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_WIDTH: Final = 96
_SENSORS: Final = (
    "Switched off, so that nothing runs before you have looked. Set it to true, or switch the "
    "sensors on in the UI, to have new files taken in by themselves."
)
_PREFIX: Final = "Give each of several pipelines a prefix for the keys of its assets."


class SequenScaffold(pydantic.BaseModel):
    """What may be said of a pipeline when it is scaffolded."""

    name: str | None = pydantic.Field(
        None, description="Of the pipeline; by default that of the folder."
    )
    exports: str = pydantic.Field(
        "{{ context.project_root }}/exports",
        description="Where event exports arrive: a folder, or s3://, gs://, abfs:// and a prefix.",
    )
    home: str | None = pydantic.Field(
        None, description="Folder for all that is made; by default .sequen/NAME in the project."
    )
    key_prefix: str | None = pydantic.Field(
        None, description="Stands in front of the key of every asset."
    )


class SequenScaffolder(dg.Scaffolder[SequenScaffold]):
    """Writes a `defs.yaml` or a `component.py` that loads as it stands, with all settings."""

    @classmethod
    def get_scaffold_params(cls) -> type[SequenScaffold]:
        """What may be given on the command line."""
        return SequenScaffold

    def scaffold(self, request: dg.ScaffoldRequest[SequenScaffold]) -> None:
        """Write the file.

        Raises:
            SettingsError: there is one already, or the name cannot be one.
        """
        folder = request.target_path.parent if request.append else request.target_path
        name = request.params.name or re.sub(r"\W", "_", folder.name)
        Names(name)
        given = {
            "name": name,
            "exports": request.params.exports,
            "home": request.params.home or "{{ context.project_root }}/.sequen/" + name,
            **({"key_prefix": [request.params.key_prefix]} if request.params.key_prefix else {}),
            "sensors": False,
        }
        if request.scaffold_format == "python":
            _write_new(folder / "component.py", write_python(given))
        elif request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write("---\n" + write_yaml(request.type_name, given))
        else:
            _write_new(folder / "defs.yaml", write_yaml(request.type_name, given))


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        message = f"{path} exists already, and is left as it is. Choose another folder."
        raise SettingsError(message) from error


def write_yaml(type_name: str, given: dict[str, Any]) -> str:
    """A `defs.yaml` that gives some attributes, and shows all others with their defaults.

    Args:
        type_name: of the component.
        given: attributes and their values.
    """
    lines = [f"type: {type_name}", "", "attributes:"]
    for name, value in given.items():
        lines += _comment(_about(name), "  ")
        lines.append(f"  {_yaml(name, value)}")
    lines += ["", "  # Every other attribute, with its default:"]
    for name, value, about in _others(given):
        lines += ["", *_comment(about, "  "), f"  # {_yaml(name, value)}"]
    variables = sorted(set(_VARIABLE.findall(str(given))))
    if variables:
        lines += ["", "requirements:", "  env:", *(f"    - {name}" for name in variables)]
    return "\n".join(lines) + "\n"


def write_python(given: dict[str, Any]) -> str:
    """A `component.py` that says the same.

    Args:
        given: attributes and their values.
    """
    lines = [
        "import dagster as dg",
        "from sequen_dagster import SequenComponent",
        "",
        "",
        "@dg.component_instance",
        "def load(context: dg.ComponentLoadContext) -> SequenComponent:",
        "    return SequenComponent(",
    ]
    for name, value in given.items():
        lines += _comment(_about(name), " " * 8)
        lines.append(f"        {name}={_python(value)},")
    lines += ["        # Every other attribute, with its default:"]
    for name, value, about in _others(given):
        lines += [*_comment(about, " " * 8), f"        # {name}={value!r},"]
    return "\n".join([*lines, "    )", ""])


def _others(given: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The settings that are not given: name, default as YAML has it, and what it is.

    In the place of `sources`, for which one is given, an example.
    """
    defaults = GivenSettings.model_construct().model_dump(mode="json")
    # The default has patterns of all that holds no events, which say nothing here.
    defaults["sources"] = EXAMPLES["sources"][0]
    for name, info in GivenSettings.model_fields.items():
        if name not in given and name not in _LEFT_OUT:
            yield name, defaults[name], info.description or ""


def _about(name: str) -> str:
    special = {
        "name": "Names of steps, jobs, sensors, pools and groups begin with it.",
        "key_prefix": _PREFIX,
        "sensors": _SENSORS,
    }
    return special.get(name) or GivenSettings.model_fields[name].description or ""


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width=_WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )


def _yaml(name: str, value: Any) -> str:
    text = yaml.safe_dump({name: value}, default_flow_style=True, width=10_000)
    return text.strip().removeprefix("{").removesuffix("}")


def _python(value: Any) -> str:
    if isinstance(value, str) and value.startswith("{{ context.project_root }}/"):
        return f'f"{{context.project_root}}/{value.partition("}}/")[2]}"'
    if isinstance(value, str) and (variable := _VARIABLE.fullmatch(value)):
        return f'dg.EnvVar("{variable[1]}").get_value()'
    return repr(value)
