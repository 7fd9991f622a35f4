"""Code blocks of the documentation, and what it takes to run each.

A block runs by its language: `RUNNERS` has a function for each, and a language that is not there
fails. A block that shows instead of running carries a comment on the line before it:

    <!-- shows: home -->       a tree of paths, each of which is in a home that a run has made
    <!-- shows: messages -->   sentences that the package says, with `…` for what varies
    <!-- shows: output -->     lines that the command before it has printed
    <!-- shows: example -->    what the package says in one case, or another program
    <!-- shows: drawing -->    a picture in characters

    <!-- run by: tests/... -->   a block that a test of its own runs
    <!-- not run: reason -->     a block that cannot run in a test
"""

import ast
import csv
import io
import json
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import click
import duckdb
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

import sequen_dagster
from sequen_dagster.cli.main import main
from sequen_dagster.contract import EventContract, Origin
from sequen_dagster.exports.tables import chunks_of_rows
from sequen_dagster.marts.overrides import check_overrides
from sequen_dagster.marts.project import project_dir
from sequen_dagster.settings import load_settings

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "dbt_project" / "README.md"]
)
# Commands that build tables; the others only read, or answer at once.
SLOW_COMMANDS: Final = ("run", "replay", "erase", "verify", "demo")

_FENCE: Final = re.compile(
    r"(?:^ *<!-- (?P<mark>shows|run by|not run): (?P<note>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_VARIES: Final = "…"
_VARIABLE: Final = re.compile(r"([A-Z_]+)=(\S*)\s*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: the page's path below the root.
        line: the line of its fence.
        language: what the fence names; empty where it names none.
        text: what it holds.
        shows: what it shows instead of running; empty where it runs.
        run_by: the test of its own that runs it; empty where there is none.
        not_run: why it cannot run; empty where it can.
    """

    page: str
    line: int
    language: str
    text: str
    shows: str = ""
    run_by: str = ""
    not_run: str = ""

    def __str__(self) -> str:
        """Where it stands, as the name of its test."""
        return f"{self.page}:{self.line}"


@dataclass
class Workspace:
    """The folder that the blocks of a page run in, and what its last command has printed.

    Attributes:
        folder: holds `exports` and, where there is one, the home `.sequen`.
        output: of the last command.
        names: what the Python of the page has defined.
    """

    folder: Path
    output: str = ""
    names: dict[str, Any] = field(default_factory=dict)  # Any: objects of all kinds


def read_blocks(page: Path, root: Path = ROOT) -> list[Block]:
    """The blocks of a page, in its order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page.relative_to(root).as_posix(),
            line=text.count("\n", 0, match.start("indent")) + 1,
            language=match["language"].strip(),
            text=_without_indent(match["text"], len(match["indent"])),
            shows=match["note"] if match["mark"] == "shows" else "",
            run_by=match["note"] if match["mark"] == "run by" else "",
            not_run=match["note"] if match["mark"] == "not run" else "",
        )
        for match in _FENCE.finditer(text)
    ]


def block_of(page: Path, start: str) -> Block:
    """The one block of a page that begins so."""
    (block,) = [one for one in read_blocks(page) if one.text.startswith(start)]
    return block


def _without_indent(text: str, indent: int) -> str:
    return "".join(
        line[min(indent, len(line) - len(line.lstrip(" "))) :]
        for line in text.splitlines(keepends=True)
    )


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in PAGES for block in read_blocks(page)]


def commands_of(block: Block) -> list[str]:
    """The commands of a block of shell, with the lines that continue them, without comments."""
    commands: list[str] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if commands and not _is_whole(commands[-1]):
            commands[-1] += "\n" + line
        elif line.strip() and not line.lstrip().startswith("#"):
            commands.append(line)
    return commands


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    here = re.search(r"<<'?(\w+)'?", command)
    return here is None or command.rstrip().endswith(f"\n{here[1]}")


def is_slow(block: Block) -> bool:
    """Whether a block builds tables."""
    return block.language == "sh" and any(
        words[0] == "sequen-dagster" and words[1] in SLOW_COMMANDS
        for _, words in _words_of_commands(block)
    )


def run_block(block: Block, workspace: Workspace) -> None:
    """Run a block, or check what it shows."""
    if block.not_run or block.run_by:
        return
    run = SHOWN[block.shows] if block.shows else RUNNERS[block.language]
    with chdir(workspace.folder):
        run(block, workspace)


# Python, data and SQL ------------------------------------------------------------------------


def run_python(block: Block, workspace: Workspace) -> None:
    """Run Python as a file of the workspace; definitions of Dagster are loaded as it loads them."""
    names = workspace.names
    names["__file__"] = str(workspace.folder / "definitions.py")
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(block.text, str(block), "exec"), names)  # noqa: S102  # the point of it
    workspace.output = printed.getvalue()
    if "defs" in names:
        import dagster as dg

        dg.Definitions.validate_loadable(names.pop("defs"))
    if "settings" in names:
        check_overrides(names["settings"])


def run_json(block: Block, _workspace: Workspace) -> None:
    """Hold an event to the contract."""
    (split,) = EventContract().validate_chunks(chunks_of_rows([json.loads(block.text)]), Origin())
    assert split.errors == {}, block


def run_csv(block: Block, workspace: Workspace) -> None:
    """Take a table as what is changed of the attributes of completeness."""
    path = workspace.folder / "attributes.csv"
    path.write_text(block.text, encoding="utf-8")
    settings = load_settings(workspace.folder, completeness_file=path.name)
    attributes = {row["attribute"] for row in csv.DictReader(block.text.splitlines())}
    assert set(settings.completeness) == attributes, block


def run_toml(block: Block, _workspace: Workspace) -> None:
    """Read TOML."""
    assert tomllib.loads(block.text), block


def run_yaml(block: Block, _workspace: Workspace) -> None:
    """Read YAML."""
    assert yaml.safe_load(block.text), block


def run_sql(block: Block, workspace: Workspace) -> None:
    """Run a query on the published snapshot; it has an answer."""
    if block.text.lstrip().startswith("attach"):
        with duckdb.connect() as own:
            assert own.execute(block.text).fetchall(), block
        return
    snapshot = workspace.folder / ".sequen" / "serving" / "sequen.duckdb"
    with duckdb.connect(snapshot, read_only=True) as connection:
        assert connection.execute(block.text).fetchall(), block


def find_in_models(block: Block, _workspace: Workspace) -> None:
    """Find a piece of a model in the dbt project."""
    sought = " ".join(block.text.split())
    models = (project_dir() / "models").rglob("*.sql")
    assert any(sought in " ".join(model.read_text("utf-8").split()) for model in models), block


# Shell ---------------------------------------------------------------------------------------


def run_shell(block: Block, workspace: Workspace) -> None:
    """Run commands, each in the way that suits it; one that is not known runs in bash."""
    for command, words in _words_of_commands(block):
        COMMANDS.get(words[0], _run_bash)(command, words, workspace)


def _words_of_commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Every command with its words; variables before it are left out of these."""
    for command in commands_of(block):
        words = shlex.split(command, comments=True)
        while _VARIABLE.match(words[0]):
            words = words[1:]
        yield command, words


def check_commands(block: Block) -> None:
    """Have the command line read what a block gives to it, without doing it."""
    for command, words in _words_of_commands(block):
        if words[0] == "sequen-dagster":
            arguments, _ = _redirected(words[1:])
            context = click.Context(main)
            name, subcommand, rest = main.resolve_command(context, arguments)
            assert subcommand is not None, command
            subcommand.make_context(name, rest, parent=context, resilient_parsing=False)


def _redirected(words: list[str]) -> tuple[list[str], str | None]:
    """Arguments, and the file that the standard input comes from."""
    if "<" not in words:
        return words, None
    place = words.index("<")
    return [*words[:place], *words[place + 2 :]], words[place + 1]


def _run_ours(command: str, words: list[str], workspace: Workspace) -> None:
    arguments, source = _redirected(words[1:])
    given = Path(source).read_text(encoding="utf-8") if source else None
    variables = dict(_VARIABLE.findall(command.partition("sequen-dagster")[0]))
    with patch("click.launch"):
        result = CliRunner().invoke(main, arguments, input=given, env=variables)
    workspace.output = result.output
    assert result.exit_code == 0, f"{command}: {result.output}"
    assert result.exception is None or isinstance(result.exception, SystemExit), command


def _run_make(command: str, words: list[str], _workspace: Workspace) -> None:
    finished = subprocess.run(
        ["make", "-n", "-C", str(ROOT), *words[1:]], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, f"{command}: {finished.stderr}"


def _check_install(command: str, words: list[str], _workspace: Workspace) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words[2:]:
        requirement = Requirement(word)
        assert words[1] == "install", command
        assert requirement.name == project["name"], command
        assert requirement.extras <= set(project["optional-dependencies"]), command


def _run_sqlite(command: str, words: list[str], _workspace: Workspace) -> None:
    database, query = words[1:]
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        assert connection.execute(query).fetchall(), command


def _run_duckdb(_command: str, words: list[str], _workspace: Workspace) -> None:
    with duckdb.connect(words[-1], read_only="-readonly" in words) as connection:
        assert connection.execute("show tables").fetchall()


def _run_bash(command: str, _words: list[str], workspace: Workspace) -> None:
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
    )
    workspace.output = finished.stdout
    assert finished.returncode == 0, f"{command}: {finished.stderr}"


COMMANDS: Final[dict[str, Callable[[str, list[str], Workspace], None]]] = {
    "sequen-dagster": _run_ours,
    "make": _run_make,
    "pip": _check_install,
    "sqlite3": _run_sqlite,
    "duckdb": _run_duckdb,
}
RUNNERS: Final[dict[str, Callable[[Block, Workspace], None]]] = {
    "python": run_python,
    "json": run_json,
    "csv": run_csv,
    "toml": run_toml,
    "yaml": run_yaml,
    "sql": run_sql,
    "jinja": find_in_models,
    "sh": run_shell,
}


# What blocks show instead of running ---------------------------------------------------------


def find_paths(block: Block, workspace: Workspace) -> None:
    """Find every path of a tree in the workspace."""
    folders: list[str] = []
    for line in block.text.splitlines():
        path, _, _ = line.strip().partition("  ")
        if not line.startswith(" "):
            folders = [path]
            continue
        if path:
            assert (workspace.folder / folders[0] / path).exists(), f"{block}: {path}"


def find_messages(block: Block, _workspace: Workspace) -> None:
    """Find every sentence in the texts of the package, between what varies in it."""
    for paragraph in block.text.split("\n\n"):
        for piece in " ".join(paragraph.split()).split(_VARIES):
            sought = piece.strip()
            assert not sought or any(sought in text for text in texts_of_the_package()), (
                f"{block}: no message holds {sought!r}"
            )


def find_output(block: Block, workspace: Workspace) -> None:
    """Find every line in what the command before has printed, however it was wrapped."""
    printed = " ".join(workspace.output.split())
    for line in block.text.splitlines():
        for piece in line.split(_VARIES):
            assert " ".join(piece.split()) in printed, f"{block}: {piece}\n{workspace.output}"


def read_only(_block: Block, _workspace: Workspace) -> None:
    """Nothing of a drawing or of an example can be checked."""


SHOWN: Final[dict[str, Callable[[Block, Workspace], None]]] = {
    "home": find_paths,
    "messages": find_messages,
    "output": find_output,
    "example": read_only,
    "drawing": read_only,
}


@cache
def texts_of_the_package() -> frozenset[str]:
    """Every text that the code of the package holds; of those with values in them the pieces."""
    return frozenset(_texts(Path(sequen_dagster.__file__).parent))


def _texts(package: Path) -> Iterator[str]:
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield " ".join(node.value.split())
