"""The word list of the lint: finds words that another word has replaced.

    python tests/support/words.py            every finding as file:line, and exit 1 if there is one
    python tests/support/words.py --count    findings by word and by folder
    python tests/support/words.py docs lake  only files whose path holds one of these texts

The words, their replacements and the exceptions are in `words.toml` beside this file.
"""

import argparse
import fnmatch
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TABLE: Final = Path(__file__).with_name("words.toml")
# What is read: text that people of this project write.
FOLDERS: Final = ("sequen_dagster", "dbt_project", "tests", "benchmarks", "docs", "deploy", ".ci")
SUFFIXES: Final = frozenset(
    (".py", ".pyi", ".sql", ".yml", ".yaml", ".md", ".j2", ".css", ".csv", ".json", ".toml", ".sh")
)
NAMES: Final = ("Makefile", "run")
# What dbt and Python write beside it, and test data, which others have written.
PASSED_OVER: Final = ("target", "logs", "parsed", "dbt_packages", "__pycache__", "fixtures")

_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
# What stands between two words of a phrase: one name, one sentence, or its next line of comment.
_WITHIN_PHRASE: Final = re.compile(r"""(?:(?!\n\s*\n)[\s_#*`'">-]|\.\Z)+""")


@dataclass(frozen=True)
class Token:
    """A word of a text, as it is spelled, with its line.

    Attributes:
        start: its place in the text.
        follows: whether it may continue a phrase with the word before.
    """

    text: str
    start: int
    line: int
    follows: bool


@dataclass(frozen=True)
class Exemption:
    """Files in which a former word is right.

    Attributes:
        files: a pattern of paths below the root.
        under: the heading of Markdown below which the word is right; empty for the whole file.
        why: the reason.
    """

    files: str
    why: str
    under: str = ""

    def covers(self, path: str, heading: str) -> bool:
        """Whether a word at this place is right."""
        return fnmatch.fnmatchcase(path, self.files) and self.under in ("", heading)


@dataclass(frozen=True)
class FormerWord:
    """Words and phrases that one replacement has taken the place of.

    Attributes:
        former: words and phrases; one with a capital counts only as it is spelled.
        use: the replacement.
        unless: longer phrases in which they are right.
        unless_code: patterns of text in which they are right, such as a method of Python's.
        only: patterns of the files in which they are looked for; all, where there is none.
        exempt: files in which they are right.
    """

    former: tuple[str, ...]
    use: str
    unless: tuple[str, ...] = ()
    unless_code: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    exempt: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A former word in a file."""

    path: str
    line: int
    former: str
    use: str

    def __str__(self) -> str:
        """The line that the lint prints."""
        return f"{self.path}:{self.line}: {self.former!r}, use: {self.use}"


def load_words(table: Path = TABLE) -> tuple[FormerWord, ...]:
    """The former words of the table."""
    content = tomllib.loads(table.read_text(encoding="utf-8"))
    everywhere = [Exemption(**each) for each in content.get("exempt", ())]
    return tuple(_word(row, everywhere) for row in content["word"])


def _word(row: Mapping[str, Any], everywhere: Iterable[Exemption]) -> FormerWord:
    # Any: values of TOML; a wrong one is a mistake of ours and fails here.
    own = (Exemption(**each) for each in row.get("exempt", ()))
    return FormerWord(
        former=tuple(row["former"]),
        use=row["use"],
        unless=tuple(row.get("unless", ())),
        unless_code=tuple(row.get("unless_code", ())),
        only=tuple(row.get("only", ())),
        exempt=(*own, *everywhere),
    )


def split_words(text: str) -> list[Token]:
    """Split a text into words; names are split at `_` and at capitals."""
    tokens: list[Token] = []
    end, line = 0, 1
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        line += between.count("\n")
        follows = not between or _WITHIN_PHRASE.fullmatch(between) is not None
        tokens.append(Token(match.group(), match.start(), line, follows and bool(tokens)))
        end = match.end()
    return tokens


def find_in_text(path: str, text: str, words: Iterable[FormerWord]) -> Iterator[Finding]:
    """Find former words in the text of one file."""
    tokens = split_words(text)
    places = _places_by_word(tokens)
    headings = _headings(text) if path.endswith(".md") else ()
    for word in words:
        if word.only and not any(fnmatch.fnmatchcase(path, files) for files in word.only):
            continue
        right = _find_exceptions(text, tokens, places, word)
        for phrase in word.former:
            for place in _find_phrase(tokens, places, phrase):
                line = tokens[place].line
                heading = _heading_at(line, headings)
                if place not in right and not any(
                    each.covers(path, heading) for each in word.exempt
                ):
                    yield Finding(path, line, phrase, word.use)


def _find_exceptions(
    text: str, tokens: list[Token], places: Mapping[str, list[int]], word: FormerWord
) -> set[int]:
    """The places of words that stand within a phrase or a piece of code where they are right."""
    in_phrases = {
        place + offset
        for phrase in word.unless
        for place in _find_phrase(tokens, places, phrase)
        for offset in range(len(phrase.split()))
    }
    spans = [match.span() for code in word.unless_code for match in re.finditer(code, text)]
    in_code = {
        place
        for place, token in enumerate(tokens if spans else ())
        if any(start <= token.start < end for start, end in spans)
    }
    return in_phrases | in_code


def _places_by_word(tokens: list[Token]) -> dict[str, list[int]]:
    places = defaultdict(list)
    for place, token in enumerate(tokens):
        places[token.text.lower()].append(place)
    return places


def _find_phrase(
    tokens: list[Token], places: Mapping[str, list[int]], phrase: str
) -> Iterator[int]:
    """The places at which a phrase begins."""
    sought = phrase.split()
    is_exact = phrase != phrase.lower()
    for place in places.get(sought[0].lower(), ()):
        found = tokens[place : place + len(sought)]
        spelled = [token.text if is_exact else token.text.lower() for token in found]
        if spelled == sought and all(token.follows for token in found[1:]):
            yield place


def _headings(text: str) -> list[tuple[int, str]]:
    """Line and text of every heading of a page, without its marks."""
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line.lstrip("#").strip()) for number, line in lines if line.startswith("#")]


def _heading_at(line: int, headings: Collection[tuple[int, str]]) -> str:
    return next((text for number, text in reversed([*headings]) if number <= line), "")


def list_files(root: Path = ROOT) -> list[Path]:
    """The files that are read, sorted: those in the folders, and those beside them."""
    below = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
    return sorted(
        path
        for path in (*below, *root.iterdir())
        if path.is_file()
        and (path.suffix in SUFFIXES or path.name in NAMES)
        and not set(path.relative_to(root).parts) & set(PASSED_OVER)
    )


def find_in_files(root: Path = ROOT, table: Path = TABLE) -> Iterator[Finding]:
    """Find former words in all files of the project, but for their table."""
    words = load_words(table)
    for path in list_files(root):
        if path != table:
            text = path.read_text(encoding="utf-8")
            yield from find_in_text(path.relative_to(root).as_posix(), text, words)


def render_counts(findings: Iterable[Finding]) -> str:
    """Findings by word, with the folders that they are in, most frequent first."""
    by_word: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        folder = "/".join(finding.path.split("/")[:-1][:2]) or "."
        by_word[finding.former][folder] += 1
    rows = sorted(by_word.items(), key=lambda row: (-row[1].total(), row[0]))
    lines = [
        f"{counts.total():6,}  {former:<18} "
        + ", ".join(f"{folder} {count}" for folder, count in counts.most_common())
        for former, counts in rows
    ]
    total = sum(counts.total() for counts in by_word.values())
    return "\n".join([*lines, f"{total:6,}  in all"])


def main() -> int:
    """Print what is found; 1 where a former word is left."""
    parser = argparse.ArgumentParser(description="Find former words of this project.")
    parser.add_argument("texts", nargs="*", help="only files whose path holds one of these")
    parser.add_argument("--count", action="store_true", help="print counts, not lines")
    arguments = parser.parse_args()
    findings = [
        finding
        for finding in find_in_files()
        if not arguments.texts or any(text in finding.path for text in arguments.texts)
    ]
    sys.stdout.write(
        render_counts(findings) + "\n"
        if arguments.count
        else "".join(f"{finding}\n" for finding in findings)
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
