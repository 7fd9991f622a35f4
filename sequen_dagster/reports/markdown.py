"""Reports: the report as Markdown, for terminals, pull requests and Dagster's asset page."""

import functools
import re
from typing import Any

import jinja2

from sequen_dagster.reports.readiness import group_use_cases
from sequen_dagster.reports.rendering import FILTERS, describe_repeats, name, overall


def render_markdown(report: dict[str, Any]) -> str:
    """Render the report's numbers as Markdown.

    Args:
        report: the report as JSON.

    Returns:
        Markdown without raw HTML; names that come from events are escaped.
    """
    template = _environment().get_template("report.md.j2")
    return template.render(
        report,
        overall=overall(report),
        repeats=describe_repeats(report),
        use_cases=group_use_cases(report["readiness"]),
    )


def escape_markdown(text: object) -> str:
    r"""A name from an event as plain Markdown text, cut to 80 characters.

    Example:
        >>> escape_markdown("a|b<script>")
        'a\\|b\\<script\\>'
    """
    return _escape(name(text))


def _escape(text: str) -> str:
    # What begins a link by itself is escaped as well.
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|~:@&$]|(?<=www)\.)", r"\\\1", text)


def _escape_prose(text: str) -> str:
    """Sentences of ours or of the user's settings, on one line, not cut."""
    return _escape(" ".join(text.split()))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sequen_dagster.reports"),
        autoescape=False,  # noqa: S701  # Markdown, not HTML: `text` escapes for it
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
    )
    environment.filters.update(FILTERS, text=escape_markdown, prose=_escape_prose)
    return environment


def _finalize(value: Any) -> Any:  # Any: whatever a template prints
    return "-" if value is None else value
