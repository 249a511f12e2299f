"""What the pages point to is there: files, headings, targets of make, settings.

Their commands are tested in ``tests/runs/test_documented_commands.py``; ``make docs`` says which page nothing leads to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ROOMS = ("seisvision", "tests", "docs", "conf", "benchmarks", ".ci")
OF_ONES_OWN = ("conf/local/", "conf/tuned/")
"""What git ignores."""


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What links to the headings of a page end with, as GitHub and Sphinx make it."""
    headings = re.findall(r"^#+ +(.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    """Every link that stays within the repository."""
    for page in PAGES:
        yield from ((page, link) for link in LINK.findall(prose(page)) if "://" not in link)


def files() -> Iterator[tuple[Path, str]]:
    """Every file or folder of the repository that a sentence names, some by the end of their path."""
    for page in PAGES:
        for code in CODE.findall(prose(page)):
            word = code.partition(":")[0]
            is_path = word.endswith(".py") or word.startswith(tuple(f"{room}/" for room in ROOMS))
            if is_path and re.fullmatch(r"[\w./-]+", word) and not word.startswith(OF_ONES_OWN):
                yield page, word


@pytest.mark.parametrize(("page", "link"), list(links()), ids=lambda one: one.name if isinstance(one, Path) else one)
def test_links_lead_somewhere(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize(("page", "word"), list(files()), ids=lambda one: one.name if isinstance(one, Path) else one)
def test_files_that_are_named_are_there(page: Path, word: str) -> None:
    inside = (path for room in ROOMS for path in (ROOT / room).rglob(Path(word).name))
    assert (ROOT / word).exists() or any(path.as_posix().endswith(f"/{word.rstrip('/')}") for path in inside)


def test_targets_of_make_are_there() -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:^|`|\$ )make((?: [a-z-]+)+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert {target for words in named for target in words.split()} <= there, page.name


def test_settings_that_are_named_are_there() -> None:
    settings = {path for file in (ROOT / "conf").rglob("*.yaml") for path in _settings(file)}
    tops = {path.partition(".")[0] for path in settings} - {"hydra"}
    missing = []
    # The history names settings by what they were called then.
    for page in (page for page in PAGES if page.name != "CHANGELOG.md"):
        named = [re.fullmatch(r"~?([a-z_]+(?:\.\w+)+)(=\S*)?", code) for code in CODE.findall(prose(page))]
        for name in (one[1] for one in named if one and one[1].partition(".")[0] in tops):
            if name.endswith((".csv", ".yaml")):
                continue
            if not {name, f"{name.rpartition('.')[0]}.*"} & settings:
                missing.append(f"{page.name}: {name}")
    assert not missing


def _settings(file: Path) -> Iterator[str]:
    """Dotted names of what a yaml sets, from where it stands in the whole; ``*`` below what takes any mapping."""
    text = file.read_text(encoding="utf-8")
    node = yaml.safe_load(text)
    place = [] if "@package _global_" in text else file.relative_to(ROOT / "conf").parts[:1]
    place = [] if place == (file.name,) else list(place)

    def below(node: object, at: list[str]) -> Iterator[str]:
        if at:
            yield ".".join(at)
        if at and node in (None, {}):
            yield ".".join([*at, "*"])
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in pairs:
            yield from below(value, [*at, str(key)])

    yield from below(node, place)
