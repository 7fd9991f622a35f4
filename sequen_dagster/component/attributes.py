"""Component: the settings as attributes of a `defs.yaml`, described where they are settings.

In: the model of the settings. Out: a model whose values are what YAML can hold, or templates of it.
A value that the settings refuse is refused again, with its name, when they are read.
"""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

import dagster as dg
import pydantic
from dagster.components.resolved.form_config import ComponentFormConfig, FormWidget
from pydantic.fields import FieldInfo
from upath import UPath

from sequen_dagster.settings import GivenSettings

_TEXTS: Final = (Path, UPath, pydantic.SecretStr)
_TEMPLATE_MARKS: Final = ("{{", "{%")
EXAMPLES: Final[Mapping[str, list[Any]]] = {
    "home": ["/srv/sequen/shop", "../../../.sequen"],
    "exports": ["s3://acme-events/exports", "/srv/exports", "{{ env.SEQUEN_EXPORTS }}"],
    "sources": [[{"name": "web", "exports": "/srv/web"}, {"name": "app", "exports": "/srv/app"}]],
    "completeness": [{"weather": {"waived": True}}],
    "owners": [["team:data", "ada@example.com"]],
    "breakdowns": [["app.version"]],
    "failure_webhook": ["{{ env.SEQUEN_FAILURE_WEBHOOK }}"],
    "daily_at": ["04:00"],
}


def settings_model(name: str) -> type[dg.Model]:
    """A model with an attribute for every setting, of which none has to be given.

    Args:
        name: of the model.
    """
    # Any: pydantic takes the types of fields by name.
    fields: dict[str, Any] = {
        setting: (
            _attribute(setting, info),
            # What is secret is not among what a component shows of itself.
            pydantic.Field(
                default=None, description=info.description, repr=not _is_secret(info.annotation)
            ),
        )
        for setting, info in GivenSettings.model_fields.items()
    }
    return pydantic.create_model(name, __base__=dg.Model, **fields)


def _attribute(setting: str, info: FieldInfo) -> Any:  # Any: a type
    secret = ComponentFormConfig(widget=FormWidget.SECRET)
    return Annotated[
        Any,
        dg.Resolver(
            render,
            model_field_type=yaml_type(info.rebuild_annotation()) | None,
            description=info.description,
            examples=EXAMPLES.get(setting),
            inject_before_resolve=False,
            form_config=secret if _is_secret(info.annotation) else None,
        ),
    ]


def _is_secret(annotation: Any) -> bool:  # Any: a type
    return pydantic.SecretStr in (annotation, *get_args(annotation))


def yaml_type(annotation: Any) -> Any:
    """The type that a setting has in YAML.

    Args:
        annotation: its type in Python.

    Example:
        >>> yaml_type(tuple[Path, ...])
        list[str]
    """
    # Any: types, of which mypy knows no common one.
    if annotation in _TEXTS:
        return str
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [one for one in parts[1:] if isinstance(one, FieldInfo)]
        inner = yaml_type(parts[0])
        return Annotated[inner, *bounds] if bounds else inner
    if origin is tuple:
        return list[yaml_type(parts[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[str, yaml_type(parts[1])]  # type: ignore[misc]
    if origin in (Union, types.UnionType):
        return Union[tuple(yaml_type(part) for part in parts)]  # noqa: UP007
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return _nested_model(annotation)
    return annotation


def _nested_model(model: type[pydantic.BaseModel]) -> type[dg.Model]:
    # Any: pydantic takes the types of fields by name.
    fields: dict[str, Any] = {
        name: (
            yaml_type(info.rebuild_annotation()) | str,
            pydantic.Field(default=None, description=info.description),
        )
        for name, info in model.model_fields.items()
    }
    return pydantic.create_model(model.__name__, __base__=dg.Model, **fields)


def render(context: dg.ResolutionContext, value: Any) -> Any:
    """What a value of YAML is once its templates are filled in.

    Dagster would take a text without a template for Python as well: 1e5 for a number.
    """
    # Any: whatever YAML can hold.
    if isinstance(value, pydantic.BaseModel):
        value = value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        return {name: render(context.at_path(name), one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [render(context.at_path(place), one) for place, one in enumerate(value)]
    if isinstance(value, str) and any(mark in value for mark in _TEMPLATE_MARKS):
        return context.resolve_value(value)
    return value
