"""Reports: the badge of the tier, and the head of the report as a picture for chat messages.

In: the report's numbers. Out: SVG, and PNG that is drawn from SVG without a browser.
"""

from typing import Any, Final

from sequen_dagster.reports.charts import remove_undrawable
from sequen_dagster.reports.page import markup_environment
from sequen_dagster.reports.readiness import group_use_cases
from sequen_dagster.reports.rendering import FILTERS, cut, name, overall
from sequen_dagster.runtime.text import counted

HEAD_SIZE: Final = (1200, 630)
_BADGE_LABEL: Final = "event data"
_BADGE_COLORS: Final = {
    "none": "#5a6675",
    "good": "#2f6fdb",
    "better": "#0f766e",
    "best": "#1a7f4b",
}
# About the width of a character of 11 px.
_CHARACTER_WIDTH: Final = 6.6
_LONGEST_LINE: Final = 96
_SHOWN_BLOCKING: Final = 3


def draw_badge(report: dict[str, Any]) -> str:
    """Draw the tier of all sources together as a small SVG, as READMEs and wikis show it.

    Args:
        report: the report as JSON.

    Returns:
        SVG that loads nothing; its title says the tier in words.
    """
    tier = overall(report)["name"]
    text = "no tier yet" if tier == "none" else tier
    label_width, text_width = (
        round(len(words) * _CHARACTER_WIDTH) + 14 for words in (_BADGE_LABEL, text)
    )
    return _render(
        "badge.svg.j2",
        label=_BADGE_LABEL,
        text=text,
        color=_BADGE_COLORS[tier],
        label_width=label_width,
        text_width=text_width,
    )


def draw_head(report: dict[str, Any]) -> bytes:
    """Draw the head of the report: the tier, what blocks the next, what the data is ready for.

    The same numbers give the same bytes, since the font is part of the renderer.

    Args:
        report: the report as JSON.

    Returns:
        PNG of `HEAD_SIZE` pixels.
    """
    import vl_convert

    whole = overall(report)
    width, height = HEAD_SIZE
    svg = _render(
        "head.svg.j2",
        **report,
        overall=whole,
        width=width,
        height=height,
        blocking=[_describe_block(one) for one in whole["blocking"]][:_SHOWN_BLOCKING],
        first=_describe_first_fix(report["fixes"]),
        use_cases=group_use_cases(report["readiness"]),
    )
    return vl_convert.svg_to_png(remove_undrawable(svg), scale=1.0, ppi=72)


def _describe_block(attribute: dict[str, Any]) -> str:  # Any: the report's JSON
    return cut(f"{name(attribute['attribute'])}: {FILTERS['need'](attribute)}", _LONGEST_LINE)


def _describe_first_fix(fixes: list[dict[str, Any]]) -> str:  # Any: the report's JSON
    fix = next((one for one in fixes if one["source"] == "(all)"), None)
    if fix is None:
        return ""
    events, verb = (
        (fix["fixable_events"], "fix") if fix["fixable_events"] else (fix["added_events"], "send")
    )
    text = f"First to fix: {name(fix['attribute'])} ({verb} {counted(events, 'event')})"
    if fix["tier_reached_after"] != fix["tier_reached"]:
        text += f"; reaches {fix['tier_reached_after'].capitalize()}"
    return cut(text, _LONGEST_LINE)


def _render(template: str, **numbers: Any) -> str:  # Any: for the template
    return markup_environment().get_template(template).render(**numbers)
