"""Tasks of the LEGACY platform's transpiler service, and errands in the background."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

from qrt_async.emulator.records import TaskState, TranspilerTask
from qrt_async.emulator.work import Done, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qrt_async.emulator.identifiers import Identifiers
    from qrt_async.emulator.pool import Pool
    from qrt_async.emulator.work import Outcome, TranspileWork, Work

_log = logging.getLogger(__name__)


class Errands:
    """Work on the event loop that nobody waits for; what goes wrong with it is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, errand: Coroutine[Any, Any, None], name: str) -> None:
        """Begin an errand; `name` completes "could not …"."""
        task = asyncio.create_task(errand, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    async def close(self) -> None:
        """Cancel what is still under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("could not %s", task.get_name(), exc_info=error)


class Transpiler:
    """The transpiler service: every user's tasks."""

    def __init__(self, pool: Pool, identifiers: Identifiers, errands: Errands) -> None:
        self._pool = pool
        self._identifiers = identifiers
        self._errands = errands
        self._tasks: dict[str, TranspilerTask] = {}

    def begin(self, user_id: str, work: TranspileWork) -> TranspilerTask:
        """Begin a task (`POST /transpile`)."""
        task = TranspilerTask(self._identifiers.task(), user_id)
        self._tasks[task.id] = task
        self._errands.begin(self._run(task, work), f"transpile {task.id}")
        return task

    def task(self, user_id: str, task_id: str) -> TranspilerTask | None:
        """Give one of the user's tasks, or None: the service takes an unknown task for a waiting one."""
        task = self._tasks.get(task_id)
        return task if task is not None and task.user_id == user_id else None

    async def _run(self, task: TranspilerTask, work: TranspileWork) -> None:
        outcome = await run_safely(self._pool, work, lambda: _start(task))
        if isinstance(outcome, Done):
            task.state, task.body = TaskState.SUCCESS, outcome.body
        else:
            task.state = TaskState.FAILURE
            _log.warning("transpiler task %s failed: %s", task.id, outcome.reason)


async def run_safely(pool: Pool, work: Work, on_start: Callable[[], None]) -> Outcome:
    """Have the pool run some work; a broken pool fails the work, not the server."""
    try:
        return await pool.run(work, on_start)
    except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
        _log.exception("the pool of workers broke")
        return Failed(
            reason=f"Unknown error: {error}",
            code=1500,
            solution="Submit the job again.",
            traceback=traceback.format_exc(),
        )


def _start(task: TranspilerTask) -> None:
    task.state = TaskState.STARTED
