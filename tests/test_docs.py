"""The documentation agrees with the code: its examples run, its links lead somewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sequen_dagster.contract import EventContract, Origin
from sequen_dagster.exports.tables import chunks_of_rows
from sequen_dagster.fields import mandatory_pairs
from sequen_dagster.marts.overrides import check_overrides
from sequen_dagster.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    for target in targets:
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_readme_contract_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [text for text in blocks(ROOT / "README.md", "python") if "EventContract" in text]

    exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # the point of this test

    rules = ["missing_click_type", "missing_item_id", "missing_original_timestamp"]
    assert capsys.readouterr().out == f"{[rules]}\n"


def test_examples_of_the_report_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "report.md"
    (python,) = blocks(page, "python")
    (table,) = blocks(page, "csv")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    exec(compile(python, page.name, "exec"), names)  # noqa: S102  # the point of this test
    (tmp_path / "attributes.csv").write_text(table, encoding="utf-8")
    by_file = load_settings(tmp_path, completeness_file="attributes.csv").completeness

    assert capsys.readouterr().out == "0.75\n"
    check_overrides(names["settings"])
    by_settings = names["settings"].completeness
    assert by_file == {name: by_settings[name] for name in ("geolocation", "search_query")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_events_in_the_docs_pass_the_contract(page: Path) -> None:
    for text in blocks(page, "json"):
        (split,) = EventContract().validate_chunks(chunks_of_rows([json.loads(text)]), Origin())

        assert split.errors == {}, text


def test_readme_names_the_mandatory_fields() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        (event_type, field.strip())
        for event_type, fields in re.findall(
            r"^\| ([a-z_]+) \| ([a-z_, ]+) \|$", text, re.MULTILINE
        )
        for field in fields.split(",")
    }

    assert set(mandatory_pairs()) <= named
