"""The word list of the lint finds former words wherever they hide, and nothing else."""

from pathlib import Path

import pytest

from support.words import (
    Exemption,
    Finding,
    FormerWord,
    find_in_files,
    find_in_text,
    load_words,
    main,
    render_counts,
)

MEND = FormerWord(former=("mend", "mended"), use="fix")


def found(text: str, *words: FormerWord, path: str = "a.py") -> list[tuple[int, str]]:
    return [(each.line, each.former) for each in find_in_text(path, text, words)]


@pytest.mark.parametrize(
    "text",
    [
        "to mend it",
        "mend_events",
        "_mend",
        "MEND",
        "mendEvents",
        "AMend",
        "rpt__mend.sql",
        "`mend`",
    ],
)
def test_word_is_found_in_prose_and_in_names(text: str) -> None:
    assert found(text, MEND) == [(1, "mend")]


@pytest.mark.parametrize("text", ["amend", "mender", "mends", "amended", "AMEND"])
def test_part_of_a_word_is_another_word(text: str) -> None:
    assert found(text, MEND) == []


@pytest.mark.parametrize(
    "text",
    [
        "made anew",
        "made_anew",
        "made\nanew",
        "# made\n    # anew",
        'f"made " "anew"',
        "made.anew()",
    ],
)
def test_phrase_is_found_across_names_lines_and_texts(text: str) -> None:
    assert [former for _, former in found(text, FormerWord(("made anew",), "rebuilt"))] == [
        "made anew"
    ]


@pytest.mark.parametrize("text", ["made. Anew", "made, anew", "made\n\nanew", "made it anew"])
def test_words_of_two_sentences_are_not_a_phrase(text: str) -> None:
    assert found(text, FormerWord(("made anew",), "rebuilt")) == []


def test_line_is_that_of_the_first_word() -> None:
    assert found("one\ntwo mended\n\nmend\n", MEND) == [(4, "mend"), (2, "mended")]


def test_word_with_a_capital_counts_as_it_is_spelt() -> None:
    assert found("OTHER, Other, other", FormerWord(("OTHER",), "NOT_A_STRING")) == [(1, "OTHER")]


def test_longer_phrase_may_be_right() -> None:
    word = FormerWord(("is no",), "is not a", unless=("is no longer", "there is no"))

    assert found("It is no file.", word) == [(1, "is no")]
    assert found("It is no longer there. There is no file.", word) == []


def test_piece_of_code_may_be_right() -> None:
    word = FormerWord(("touch",), "affect", unless_code=(r"\.touch\(",))

    assert found("path.touch()\ntouch(path)", word) == [(2, "touch")]


def test_word_may_be_right_in_a_file_and_below_a_heading() -> None:
    of_file = FormerWord(("mend",), "fix", exempt=(Exemption("docs/*", "a reason"),))
    below = FormerWord(("mend",), "fix", exempt=(Exemption("*.md", "a reason", "Old names"),))

    assert found("mend", of_file, path="docs/a.md") == []
    assert found("mend", of_file, path="README.md") == [(1, "mend")]
    assert found("# Old names\nmend\n## New\nmend", below, path="a.md") == [(4, "mend")]


def test_word_may_be_looked_for_in_some_files_only() -> None:
    word = FormerWord(("cell",), "raw value", only=("contract/*",))

    assert found("cell", word, path="contract/a.py") == [(1, "cell")]
    assert found("cell", word, path="reports/a.py") == []


def test_folders_of_tools_and_test_data_are_passed_over(tmp_path: Path) -> None:
    table = tmp_path / "tests" / "words.toml"
    for name in (
        "README.md",
        "docs/a.md",
        "dbt_project/target/a.sql",
        "tests/fixtures/a.md",
        "a.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mend\n", encoding="utf-8")
    table.write_text('[[word]]\nformer = ["mend"]\nuse = "fix"\n', encoding="utf-8")

    findings = list(find_in_files(tmp_path, table))

    assert [str(each) for each in findings] == [
        "README.md:1: 'mend', use: fix",
        "docs/a.md:1: 'mend', use: fix",
    ]
    assert render_counts(findings) == "     2  mend               . 1, docs 1\n     2  in all"


def test_table_is_sound() -> None:
    words = load_words()
    former = [phrase for word in words for phrase in word.former]

    assert len(former) == len(set(former))
    assert all(word.use for word in words)
    assert all(each.why for word in words for each in word.exempt)
    # An exception that holds no former word does nothing.
    for word in words:
        for phrase in word.unless:
            assert found(phrase, FormerWord(word.former, word.use)), phrase


def test_exit_code_says_whether_a_word_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["words.py", "--count"])
    left = [Finding("docs/a.md", 3, "mend", "fix")]

    monkeypatch.setattr("support.words.find_in_files", lambda: iter(left))
    assert main() == 1
    assert "1  mend" in capsys.readouterr().out
    monkeypatch.setattr("support.words.find_in_files", lambda: iter(()))
    assert main() == 0
