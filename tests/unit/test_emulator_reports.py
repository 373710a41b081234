"""What the emulator tells of the instances of its users."""

from __future__ import annotations

from qrt_async.emulator.records import Placement
from qrt_async.emulator.reports import network


def test_names_may_hold_what_parts_them() -> None:
    """A hub, group or project with a slash in its name is told as it was named."""
    found = network([Placement("a/b", "g", "p"), Placement("a/b", "g", "q"), Placement("c", "g/h", "p")])

    assert [
        (hub["name"], {name: list(group["projects"]) for name, group in hub["groups"].items()}) for hub in found
    ] == [
        ("a/b", {"g": ["p", "q"]}),
        ("c", {"g/h": ["p"]}),
    ]
