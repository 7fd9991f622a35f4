"""Reports: the report as Markdown, for terminals, pull requests and Dagster's asset page."""

import functools
import re
from typing import Any

import jinja2

from sequen_dagster.reports.summary import Summary


def render_markdown(summary: Summary) -> str:
    """Render the report's numbers as Markdown.

    Args:
        summary: what `summarize` gave.

    Returns:
        Markdown without raw HTML; names that come from events are escaped.
    """
    return _environment().get_template("report.md.j2").render(summary)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sequen_dagster.reports"),
        autoescape=False,  # noqa: S701  # Markdown, not HTML: `text` below escapes for it
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
    )
    environment.filters.update(text=escape_markdown, percent=_percent, count=_count)
    return environment


def escape_markdown(text: object) -> str:
    r"""A name from an event as plain Markdown text, cut to 80 characters.

    Example:
        >>> escape_markdown("a|b<script>")
        'a\\|b\\<script\\>'
    """
    # Control signs and those that turn the direction of writing; then what begins a link by itself.
    one_line = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]+", " ", str(text)
    )
    shown = one_line if len(one_line) <= 80 else f"{one_line[:79]}…"
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|~:@&$]|(?<=www)\.)", r"\\\1", shown)


def _finalize(value: Any) -> Any:  # Any: whatever a template prints
    return "-" if value is None else value


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _count(value: int) -> str:
    return f"{value:,}"
