"""The emulator inside a Python program: a process of its own, or the program's own event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import attrs

from qrt_async.emulator.controls import Controls
from qrt_async.emulator.extras import require
from qrt_async.emulator.plans import PLANS
from qrt_async.emulator.settings import ClockKind, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from types import TracebackType

    from qrt_async.emulator.clock import Clock
    from qrt_async.emulator.serving import Served
    from qrt_async.emulator.world import World

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_ANNOUNCEMENT = b"LISTENING "


class EmulatorError(Exception):
    """The emulator's process ended, or stayed silent, before it answered."""


class Emulator(Controls):
    """The emulated service for the length of an `async with` block; `url` is where all its hosts answer.

    Every argument but the last stands for an option of `python -m qrt_async.emulator`; `backends` None gives
    its default devices, `plan` is "premium" or "open". With `in_process` the server shares the caller's event loop,
    and `world` shows its state; jobs run in worker processes either way. A process of its own ends with the
    caller's, even when that one is killed.

    Times are in seconds of its `clock`: "real", "virtual" (moves by `advance` alone) or "auto" (moves, moreover,
    whenever everything waits for it). `queue_seconds` and `run_seconds` are for all backends, or by backend.
    """

    def __init__(
        self,
        *,
        api_keys: Sequence[str] = (),
        seed: int | None = None,
        noiseless: bool = False,
        backends: Sequence[str] | None = None,
        workers: int = 2,
        plan: str = "premium",
        region: str = "us-east",
        state: str | os.PathLike[str] | None = None,
        known_500s: bool = False,
        clock: Literal["real", "virtual", "auto"] = "real",
        queue_seconds: float | Mapping[str, float] | None = None,
        run_seconds: float | Mapping[str, float] | None = None,
        token_lifetime: float | None = None,
        quota: int | None = None,
        pending_jobs: int | None = None,
        refuse_beyond_usage: bool = False,
        record: bool = False,
        in_process: bool = False,
    ) -> None:
        chosen = Settings(
            tuple(api_keys),
            seed,
            noiseless,
            workers=workers,
            plan=PLANS[plan],
            region=region,
            state=None if state is None else Path(state),
            known_500s=known_500s,
            clock=ClockKind(clock),
            token_lifetime=token_lifetime,
            quota=quota,
            pending_jobs=pending_jobs,
            refuse_beyond_usage=refuse_beyond_usage,
            record=record,
        )
        offered = chosen.backends if backends is None else tuple(backends)
        self._settings = attrs.evolve(
            chosen,
            backends=offered,
            queue_seconds=_by_backend(queue_seconds, offered),
            run_seconds=_by_backend(run_seconds, offered),
        )
        self._in_process = in_process
        self._open = AsyncExitStack()
        self._url = None
        self._world: World | None = None

    @property
    def url(self) -> str:
        """Where the emulator answers, as `http://127.0.0.1:<port>`; only inside the block."""
        if self._url is None:
            raise RuntimeError("the emulator runs inside its `async with` block only")
        return self._url

    @property
    def world(self) -> World:
        """The server's state; only with `in_process`, inside the block."""
        if self._world is None:
            raise RuntimeError("only an emulator in this process, inside its block, shows its world")
        return self._world

    @property
    def clock(self) -> Clock:
        """The emulator's time, to share with the client under test; only with `in_process`, inside the block."""
        return self.world.clock

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(require)
        if self._in_process:
            serving = await asyncio.to_thread(import_module, "qrt_async.emulator.serving")  # reads files
            served: Served = await self._open.enter_async_context(serving.serve(self._settings))
            self._url, self._world = served.url, served.world
        else:
            self._url = await self._open.enter_async_context(_child(self._settings))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._url = self._world = None
        await self._open.aclose()


@asynccontextmanager
async def _child(settings: Settings) -> AsyncGenerator[str, None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "qrt_async.emulator", "--until-stdin-closes"),
        *_arguments(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the caller, who may still have sessions to close
    )
    try:
        yield await _announced(process)
    finally:
        await _stop(process)


def _arguments(settings: Settings) -> list[str]:
    arguments = [f"--backends={','.join(settings.backends)}", f"--workers={settings.workers}"]
    arguments += [f"--api-key={key}" for key in settings.api_keys]
    if settings.seed is not None:
        arguments.append(f"--seed={settings.seed}")
    if settings.noiseless:
        arguments.append("--noiseless")
    arguments += [f"--plan={settings.plan.name}", f"--region={settings.region}"]
    if settings.state is not None:
        arguments.append(f"--state={settings.state}")
    flags = {
        "--known-500s": settings.known_500s,
        "--refuse-beyond-usage": settings.refuse_beyond_usage,
        "--record": settings.record,
    }
    arguments += [flag for flag, chosen in flags.items() if chosen]
    values = {
        "--clock": settings.clock,
        "--token-lifetime": settings.token_lifetime,
        "--quota": settings.quota,
        "--pending-jobs": settings.pending_jobs,
    }
    arguments += [f"{option}={value}" for option, value in values.items() if value is not None]
    arguments += [f"--queue-seconds={name}={seconds}" for name, seconds in settings.queue_seconds.items()]
    return arguments + [f"--run-seconds={name}={seconds}" for name, seconds in settings.run_seconds.items()]


def _by_backend(seconds: float | Mapping[str, float] | None, backends: Sequence[str]) -> Mapping[str, float]:
    if seconds is None:
        return {}
    return seconds if isinstance(seconds, Mapping) else dict.fromkeys(backends, seconds)


async def _announced(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
    try:
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline()
    except TimeoutError:
        raise EmulatorError(f"the emulator did not answer within {_START_SECONDS:g} s") from None
    if not line.startswith(_ANNOUNCEMENT):
        raise EmulatorError("the emulator ended before it answered; its error output says why")
    return line.removeprefix(_ANNOUNCEMENT).strip().decode()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the child by closing its input; kill it when that takes long, or when nobody wants to wait."""
    assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        await _kill(process)
    except asyncio.CancelledError:
        await _kill(process)
        raise


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()
