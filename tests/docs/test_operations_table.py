"""The table of operations is whole: nothing of the contract is without a method of ours and a route."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = str(Path(__file__).parents[2] / "docs")


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    """Make the table's rows as the documentation does."""
    sys.path.insert(0, DOCS)
    try:
        module = importlib.import_module("operation_rows")
    finally:
        sys.path.remove(DOCS)
    return list(module.rows())


SERVICE = ("/api/v1/", "/runtime/", "/identity/", "/api/users/log", "/transpile")


def test_every_operation_has_a_method_a_route_and_a_test(rows: list[Any]) -> None:
    """Each operation of the service can be called with this client, is served by the emulator, and is tested."""
    operations = [row for row in rows if row.operation.path.startswith(SERVICE)]
    bare = [f"{row.operation.method} {row.operation.path}" for row in operations if not (row.ours and row.served)]

    assert len(operations) >= 55
    assert bare == []
