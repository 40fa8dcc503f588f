"""Tests of the committed pictures: those that the pages show are there, small, and of every domain."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from stratagym.envs.registry import find_domains, id_of

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
GALLERY = runpy.run_path(str(ROOT / "docs" / "make_gallery.py"))
STUDIES = {"learning.png"}
"""Pictures of long studies, drawn by ``stratagym suite run`` (``docs/results.md``)."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown(page: Path) -> list[Path]:
    """Return the pictures that a page shows."""
    return [page.parent / found for found in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text("utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_of_pages_are_there(page: Path) -> None:
    """Every picture that a page shows is a file that is not empty."""
    for path in shown(page):
        assert path.is_file(), path
        assert path.stat().st_size > 0


def test_pictures_are_small() -> None:
    """No file is larger than the script allows."""
    for path in IMAGES.iterdir():
        assert path.stat().st_size <= GALLERY["MOST"], path.name


def test_every_domain_is_shown() -> None:
    """The script takes a picture of each domain, and the page of domains shows one."""
    taken = {shot.env: shot.name for shot in GALLERY["SHOTS"]}
    taken |= {env_id: f"{name}-best" for name, env_id, _ in GALLERY["SCHEDULES"]}
    names = {path.stem for path in shown(ROOT / "docs" / "domains.md")}
    for domain in find_domains():
        assert id_of(domain) in taken, domain
    for name in {shot.env: shot.name for shot in reversed(GALLERY["SHOTS"])}.values():
        assert name in names


def test_nothing_lies_about() -> None:
    """Every committed picture is one that the script makes, or a study."""
    made = STUDIES | {f"{shot.name}.png" for shot in GALLERY["SHOTS"]}
    made |= {f"{shot.name}.gif" for shot in GALLERY["SHOTS"] if shot.frames}
    made |= {
        f"{name}-{kind}.png" for name, *_ in GALLERY["SCHEDULES"] for kind in ("best", "random", "graph")
    }
    assert {path.name for path in IMAGES.iterdir()} == made
