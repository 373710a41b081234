"""The page on failures is true: its tests are there, and so are the errors and events that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import qrt_async
from qrt_async import hooks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> Iterator[list[str]]:
    """Yield the cells of each row of the page's tables, their heads left out."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in {"trouble", "---"}:
            yield cells


def defined_in(file: Path) -> set[str]:
    """Return the names of a file's functions."""
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_trouble_has_a_test_that_exists() -> None:
    """Each row names at least one test, and no test that is named is missing."""
    found = list(rows())
    untested = [cells[0] for cells in found if len(cells) != 4 or not TEST.search(cells[3])]
    missing = [f"{path}::{name}" for path, name in TEST.findall(PAGE) if name not in defined_in(ROOT / path)]

    assert len(found) > 30
    assert untested == []
    assert missing == []


def test_every_class_of_the_page_exists() -> None:
    """What the user is said to see is public."""
    seen = {name for cells in rows() for name in re.findall(r"`([A-Z]\w+)`", cells[2])}

    assert {name for name in seen if not hasattr(qrt_async, name) and not hasattr(hooks, name)} == set()
