"""Cancelling a coroutine at its n-th suspension, for every n."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


class Moment(Enum):
    """When the cancellation comes: while it sleeps, as it wakes with what it waited for, or again and again."""

    ASLEEP = "asleep"
    WAKING = "waking"
    INSISTENT = "insistent"


@attrs.define
class Interruption:
    """Cancels the task that runs a coroutine at suspension number `at`, counted from 1; 0 only counts."""

    at: int
    moment: Moment
    suspensions: int = 0

    @property
    def came(self) -> bool:
        """Whether the coroutine was suspended so often that it was cancelled."""
        return 0 < self.at <= self.suspensions

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine in the current task."""
        task = asyncio.current_task()
        assert task is not None
        return await self._followed(work, task)

    @types.coroutine
    def _followed(self, work: Coroutine[Any, Any, T], task: asyncio.Task[Any]) -> Generator[Any, Any, T]:
        resume = _sender(work)
        while True:
            try:
                waited = resume()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.suspensions += 1
            if self.suspensions == self.at or (self.came and self.moment is Moment.INSISTENT):
                self._cancel(task, waited)
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                resume = _thrower(work, error)
            else:
                resume = _sender(work)

    def _cancel(self, task: asyncio.Task[Any], waited: Any) -> None:
        if self.moment is Moment.WAKING and isinstance(waited, asyncio.Future):
            waited.add_done_callback(lambda _: task.cancel())  # before the task's own, which would wake it
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


def _sender(work: Coroutine[Any, Any, T]) -> Callable[[], Any]:
    return lambda: work.send(None)


def _thrower(work: Coroutine[Any, Any, T], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)
