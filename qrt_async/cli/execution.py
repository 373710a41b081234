"""From a coroutine to an exit status: signals, errors, warnings."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator

from qrt_async.cli.exit import ExitStatus, status_of
from qrt_async.cli.options import Report
from qrt_async.cli.output import Output
from qrt_async.emulator import EmulatorError, MissingExtraError
from qrt_async.errors import QrtError

Command = Callable[[Output], Awaitable[int]]


def execute(command: Command, report: Report) -> int:
    """
    Run a command's coroutine to its end, and return the exit status.

    Ctrl-C and SIGTERM cancel it, so that sessions are ended on the way out. What the command does before it gives its
    coroutine happens outside of any loop.
    """
    return guarded(lambda output: asyncio.run(_terminable(command(output))), report)


def guarded(work: Callable[[Output], int], report: Report) -> int:
    """
    Do a command's work, and return the exit status.

    An error of this package becomes one message on standard error; `report.debug` shows where it came from.
    """
    output = Output(report.json)
    try:
        with output.remarks():
            return work(output)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        _explain(output, "interrupted" if interrupted else "terminated", error)
        return ExitStatus.INTERRUPTED if interrupted else ExitStatus.TERMINATED
    except BrokenPipeError:
        # whoever read our answer has seen enough; Python would complain once more when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.OK
    except (QrtError, MissingExtraError, EmulatorError) as error:
        if report.debug:
            traceback.print_exception(error)
        _explain(output, str(error), error)
        return status_of(error)


async def _terminable(command: Awaitable[int]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run makes one
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await command
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _explain(output: Output, what: str, error: BaseException) -> None:
    output.fail("\n".join([what, *dict.fromkeys(_notes(error))]))


def _notes(error: BaseException | None) -> Iterator[str]:
    """Yield what was noted on an error and on those it followed: a session that could not be ended, for one."""
    while error is not None:
        yield from getattr(error, "__notes__", ())
        error = error.__cause__ or error.__context__
