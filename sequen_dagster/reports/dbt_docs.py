"""Reports: what explains the tables: dbt's docs as one page, and the project's README.

In: the dbt project, and which tables and columns the warehouse has; no row of any. Out:
`serving/docs/index.html`, which opens without a server or a network, and `serving/README.md`.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.layout import Home, Serving
from sequen_dagster.marts.dbt import run_dbt
from sequen_dagster.marts.project import (
    project_dir,
    sources_fingerprint,
    write_profile,
)
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.reports.writing import write_report_file
from sequen_dagster.settings import SequenSettings

# Raised whenever this module makes another page of the same artifacts.
_PAGE_VERSION: Final = 2
_STAMP: Final = re.compile(r'<meta name="sequen-stamp" content="([0-9a-f]+)">')
# dbt's page can load a tracker from a content network, and its icon is a path that leads nowhere.
# Both stay away by dbt's own setting and by the line below; this holds for whatever comes next.
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)
# Where dbt's page, and its own `--static`, have the artifacts.
_PLACES: Final = {
    "manifest": '"MANIFEST.JSON INLINE DATA"',
    "catalog": '"CATALOG.JSON INLINE DATA"',
}


@dataclass(frozen=True)
class Docs:
    """Dbt's docs of a home.

    Attributes:
        path: the page.
        is_rebuilt: whether it was rebuilt; else nothing that it shows has changed.
    """

    path: Path
    is_rebuilt: bool


def write_docs(settings: SequenSettings) -> Docs:
    """Write dbt's docs as one page, where what they show has changed.

    Hold `writer_lock`: dbt opens the warehouse for its catalog. The page says in its head what
    it was made of, so it and its stamp cannot part; dbt takes seconds, and is spared mostly.

    Returns:
        The page, and whether it is new.

    Raises:
        BuildError: dbt cannot make it; the old one is still in place.
        LockTimeoutError: another program had the warehouse open for too long.
        StorageError: it cannot be written; the old one is still in place.
    """
    target = Home(settings.home).serving.docs
    with connect(settings) as warehouse:
        stamp = _stamp_of(warehouse, settings)
    if _stamp_in(target) == stamp:
        return Docs(target, is_rebuilt=False)
    _generate(settings)
    page = _assemble_page(settings, stamp)
    write_report_file(target, page)
    return Docs(target, is_rebuilt=True)


def why_undocumented(warehouse: duckdb.DuckDBPyConnection, settings: SequenSettings) -> str:
    """Why dbt's docs have to be made again; empty where they show what there is.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        settings: the home, and the marts' settings.
    """
    is_current = _stamp_in(Home(settings.home).serving.docs) == _stamp_of(warehouse, settings)
    return "" if is_current else "dbt's docs show something else than there is"


def copy_readme(serving: Serving) -> None:
    """Put the dbt project's README, which is for those who query the tables, beside them."""
    source = project_dir() / "README.md"
    target = serving.readme
    if not source.exists():
        return
    text = source.read_text(encoding="utf-8")
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        write_report_file(target, text)


def _stamp_of(warehouse: duckdb.DuckDBPyConnection, settings: SequenSettings) -> str:
    """Names everything that the page shows."""
    columns = warehouse.execute(
        "select schema_name, table_name, column_index, column_name, data_type"
        " from duckdb_columns() where not internal"
        " and schema_name not in ('changes', 'unpublished') order by all"
    ).fetchall()
    facts = [_PAGE_VERSION, sources_fingerprint(settings), settings.owners, columns]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _stamp_in(page: Path) -> str:
    if not page.exists():
        return ""
    with page.open(encoding="utf-8", errors="replace") as handle:
        found = _STAMP.search(handle.read(4096))
    return found[1] if found else ""


def _generate(settings: SequenSettings) -> None:
    """Have dbt write the catalog and its page, beside a manifest with all compiled SQL."""
    write_profile(settings)
    # The build before has compiled the models mostly, and doing it again doubles the time.
    is_compiled = _is_compiled(Home(settings.home).dbt.manifest)
    try:
        run_dbt(settings, ["docs", "generate", *(["--no-compile"] if is_compiled else [])])
    except BuildError:
        # What dbt says names places of this machine, and may quote more.
        message = (
            "dbt could not make its docs of the warehouse. Tables and reports are not affected. "
            "With the setting `dbt_debug_log`, dbt/target/dbt.log in the home says why. Remove the "
            "cause and run again."
        )
        raise BuildError(message) from None


def _is_compiled(manifest: Path) -> bool:
    """Whether the last call of dbt has left the SQL of all models."""
    if not manifest.exists():
        return False
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    return all("compiled_code" in node for node in nodes if node["resource_type"] == "model")


def _assemble_page(settings: SequenSettings, stamp: str) -> str:
    """What `dbt docs generate --static` writes, without what is none of its readers' business."""
    folder = Home(settings.home).dbt.target
    page = (folder / "index.html").read_text(encoding="utf-8")
    for artifact, place in _PLACES.items():
        made = json.loads((folder / f"{artifact}.json").read_text(encoding="utf-8"))
        shown = _name_owners(_spell_out_measures(made), owners=", ".join(settings.owners))
        page = _replace_text(page, place, _inline(shown, settings.home))
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        f'<meta name="sequen-stamp" content="{stamp}">'
    )
    for old, new, times in (
        ('<meta charset="utf-8">', f'<meta charset="utf-8">{head}', 1),
        # Angular has a way to do without `eval`, which the policy forbids.
        (' ng-app="dbt"', ' ng-app="dbt" ng-csp="no-unsafe-eval"', 1),
        # The browser would ask for these two kinds of addresses before Angular has put them right.
        ("${require('./assets/favicons/favicon.ico')}", "data:,", 1),
        ('<use xlink:href="{{', '<use ng-attr-href="{{', 4),
    ):
        page = _replace_text(page, old, new, times=times)
    return page


def _spell_out_measures(artifact: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """The same, with measures as lines of text, which the page shows as JSON that it cuts."""

    def spell_out(node: dict[str, Any]) -> dict[str, Any]:
        meta = dict(node.get("meta") or {})
        measures = {
            f"measure {one['name']}": f"{one['sql']}: {one['description']}"
            for one in meta.pop("measures", ())
        }
        return {**node, "meta": {**measures, **meta}} if measures else node

    nodes = {name: spell_out(node) for name, node in artifact["nodes"].items()}
    return artifact | {"nodes": nodes}


def _name_owners(artifact: dict[str, Any], *, owners: str) -> dict[str, Any]:  # Any: JSON
    """The same, with the owners of the settings: the engine knows no owners of tables."""

    def name_owners(node: dict[str, Any]) -> dict[str, Any]:
        if "metadata" not in node:
            return node  # of the manifest, which knows nothing of tables
        return {**node, "metadata": {**node["metadata"], "owner": owners}}

    named = {
        kind: {name: name_owners(node) for name, node in artifact[kind].items()}
        for kind in ("nodes", "sources")
        if kind in artifact
    }
    return artifact | named


def _replace_text(page: str, old: str, new: str, *, times: int = 1) -> str:
    if page.count(old) != times:
        message = (
            f"dbt's page of docs is another than the one known here: {old!r} is in it "
            f"{page.count(old)} times. Install the release of dbt-core that the lock names."
        )
        raise BuildError(message)
    return page.replace(old, new)


def _inline(artifact: dict[str, Any], home: Path) -> str:
    """An artifact of dbt as JSON within a script."""
    # `env` holds variables of the process, and the ids name the installation.
    metadata = {
        name: value
        for name, value in artifact["metadata"].items()
        if name not in ("env", "user_id", "project_id", "invocation_id")
    }
    cleaned = _remove_paths(artifact | {"metadata": metadata | {"env": {}}}, home)
    # As in `</script>`, which would end the script.
    return json.dumps(cleaned, separators=(",", ":")).replace("<", "\\u003c")


def _remove_paths(value: Any, home: Path) -> Any:  # Any: JSON
    """The same, without where on this machine the home and the project lie."""
    if isinstance(value, dict):
        return {name: _remove_paths(one, home) for name, one in value.items()}
    if isinstance(value, list):
        return [_remove_paths(one, home) for one in value]
    if isinstance(value, str):
        for folder in (home, project_dir()):
            value = value.replace(f"{folder}/", "").replace(str(folder), "")
    return value
