"""
Worker processes behind the interface of :class:`concurrent.futures.Executor`.

The standard library's process pool starts its workers by importing the caller's main script again, which runs a
script without a ``__main__`` guard a second time, and it is broken for good once a worker has died. These workers run a
program of ours; one that dies fails the task it had, and is replaced at the next.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, ParamSpec, TypeVar

from qrt_async import environment

P = ParamSpec("P")
T = TypeVar("T")

_LENGTH = struct.Struct(">Q")
_PROGRAM = f"from {__name__} import serve; serve()"


class WorkerProcesses(concurrent.futures.Executor):
    """Runs importable functions in up to `count` processes, which are started when they are first needed."""

    def __init__(self, count: int) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="qrt_async worker")
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """Run `fn` in the next free process; a process that dies meanwhile fails it with `BrokenExecutor`."""
        return self._threads.submit(self._run, fn, args, kwargs)

    def _run(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        task = pickle.dumps((fn, args, kwargs))
        process = self._take()
        try:
            _write(_pipe(process.stdin), task)
            reply = _read(_pipe(process.stdout))
        except OSError:
            reply = None
        if reply is None:
            self._discard(process)
            raise concurrent.futures.BrokenExecutor(f"a worker process died (status {process.returncode})")
        self._idle.put(process)
        succeeded, value = pickle.loads(reply)  # noqa: S301 - from our own child process
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]

    def _take(self) -> subprocess.Popen[bytes]:
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait()
        with self._lock:
            if self._closed:
                raise concurrent.futures.BrokenExecutor("the worker processes have been shut down")
            process = _start()
            self._running.add(process)
            return process

    def _discard(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        _release(process)
        with self._lock:
            self._running.discard(process)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes: after what they have in hand, or at once with `cancel_futures`."""
        with self._lock:
            self._closed = cancel_futures
            if cancel_futures:
                for process in self._running:
                    process.kill()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        with self._lock:
            self._closed = True
            for process in self._running:
                _release(process)
            self._running.clear()


def _start() -> subprocess.Popen[bytes]:
    changes = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "RAYON_NUM_THREADS": "1"}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment.inherited(changes),
    )


def _release(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        _pipe(process.stdin).close()
    process.wait()
    _pipe(process.stdout).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("the process was started with pipes")
    return pipe


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    data = pipe.read(length)
    return data if len(data) == length else None


def serve() -> None:
    """Run tasks from standard input until it ends, which it does when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while (task := _read(sys.stdin.buffer)) is not None:
        _write(replies, _outcome(task))


def _outcome(task: bytes) -> bytes:
    try:
        fn, args, kwargs = pickle.loads(task)  # noqa: S301 - from our own parent process
        return pickle.dumps((True, fn(*args, **kwargs)))
    except Exception as error:  # noqa: BLE001 - it is the caller's to handle
        return pickle.dumps((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001 - whatever an exception's class does when it is copied
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
