"""Everything that an error shows, to whoever prints it with all it has."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import FrameType, TracebackType

_TESTS = str(Path(__file__).parents[1])


def shown_by(error: BaseException) -> str:
    """Return the error, its causes and contexts, with the local variables of every frame but the tests' own."""
    pending: list[BaseException | None] = [error]
    shown: list[str] = []
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        pending += [one.__cause__, one.__context__]
        frames = traceback.StackSummary.extract(iter(_foreign(one.__traceback__)), capture_locals=True)
        shown += [repr(one), str(one), repr(one.__dict__), *frames.format()]
    return "\n".join(shown)


def _foreign(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    found = traceback.walk_tb(trace)
    return [(frame, line) for frame, line in found if not frame.f_code.co_filename.startswith(_TESTS)]
