"""The pictures of the docs show what is there, and each of them is shown."""

import re
from pathlib import Path

import pytest

from support.pages import PAGES
from support.pictures import IMAGES, SHOWN, fingerprint, read_recorded


@pytest.mark.parametrize("picture", SHOWN)
def test_picture_is_not_older_than_what_it_shows(picture: str) -> None:
    assert read_recorded()[picture] == fingerprint(picture), "run `make screenshots`, and look"


def test_every_picture_is_taken_and_shown() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = {Path(path).name for path in re.findall(r"images/[a-z-]+\.png", text)}

    assert {path.name for path in IMAGES.glob("*.png")} == set(SHOWN) == shown


def test_fingerprint_follows_what_is_shown_and_not_its_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHOWN, "a.png", ("*.py", "*.css"))  # type: ignore[arg-type]
    code, style = tmp_path / "a.py", tmp_path / "a.css"
    code.write_text("a = 1\n")
    style.write_text("p {}\n")
    before = fingerprint("a.png", tmp_path)

    code.write_text("a  =  1  # the same\n")
    assert fingerprint("a.png", tmp_path) == before
    code.write_text("a = 2\n")
    assert fingerprint("a.png", tmp_path) != before
    style.unlink()
    with pytest.raises(FileNotFoundError, match=r"\*\.css"):
        fingerprint("a.png", tmp_path)
