"""No link in the documentation leads nowhere, and no file names a schema that is not there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LEFT_OUT = {"demo", "text"}  # `text` holds the beginnings of generated pages, whose links are theirs
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|\[[^\]]+\]:\s*(\S+)")


def files(pattern: str) -> list[Path]:
    """The project's own files of one kind; what tools keep in folders with a dot is not."""
    found: list[Path] = []
    for folder, folders, _ in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith(".")]
        found += Path(folder).glob(pattern)
    return sorted(found)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", files("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page: Path):
    """Every relative link leads to a file, and to a heading in it where it names one."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for found in _LINK.findall(text):
        link = found[0] or found[1]
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize(
    "file",
    [ROOT / "config.example.yaml", *sorted(ROOT.glob("rulesets/*.yaml")), *sorted(ROOT.glob("examples/**/*.yaml"))],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_named_schemas_are_there(file: Path):
    """The schema that a YAML file names for editors is one of this project."""
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text(encoding="utf-8"))

    assert named, "the first line names no schema"
    assert (file.parent / named[1]).resolve().parent == ROOT / "docs" / "schema"
    assert (file.parent / named[1]).exists()


def test_every_page_is_reached_from_the_readme():
    """Whoever follows links from README.md finds every page of docs/."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
        waiting += [page.parent / found[0].partition("#")[0] for found in links if found[0] and ":" not in found[0]]

    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= {page.name for page in reached}


def test_the_readme_keeps_a_place_for_figures():
    """What `make bench-table` fills in has a beginning and an end."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert text.index("<!-- figures -->") < text.index("<!-- /figures -->")


def test_targets_that_the_readme_names_exist():
    """Each `make` command in a page is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [page.read_text(encoding="utf-8") for page in files("*.md")]
    named = {word for text in texts for word in re.findall(r"^\$ make ([a-z]+)", text, re.MULTILINE)}

    assert named
    for word in named:
        assert re.search(rf"^{word}:", makefile, re.MULTILINE), word


def test_files_that_the_record_passes_exist():
    """Every file and folder of the code that docs/how-a-record-travels.md names is there."""
    text = (ROOT / "docs" / "how-a-record-travels.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py))`", text))
    named |= set(re.findall(r"`((?:eadm_sync|connectors|exportqueue)(?:/[a-z_]+)+)`", text))

    missing = [name for name in sorted(named) if not any((base / name).exists() for base in (ROOT, ROOT / "eadm_sync"))]

    assert len(named) >= 20
    assert missing == []


def test_every_word_of_the_domain_is_in_the_glossary():
    """The words that rulesets, configuration and queue are made of have one entry each, in alphabetical order."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| \*\*([a-z ]+)\*\* \|", text, re.MULTILINE)
    expected = (
        "account affiliation anchor attribute brake change condition container group hold identifier item licence"
    )
    expected += " membership person plan quarantine record reservation retention rule ruleset run source target unit"

    assert words == sorted(set(words))
    assert {*expected.split(), "class group", "desired state", "known state", "export queue"} <= set(words)
