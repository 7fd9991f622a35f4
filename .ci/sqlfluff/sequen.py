"""Stands in for the dbt project's own namespace, `sequen.<macro>`, while sqlfluff renders."""

from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context


def __getattr__(macro: str) -> Callable[..., Any]:
    # The import system asks for names of its own here, such as __path__.
    if macro.startswith("__"):
        raise AttributeError(macro)

    @pass_context
    def call(context: Context, *arguments: Any, **named: Any) -> Any:
        return context.resolve(macro)(*arguments, **named)

    return call
