"""`python -m qrt_async.emulator`: the emulator as a program."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from qrt_async.emulator.devices import UnknownDeviceError, available
from qrt_async.emulator.extras import MissingExtraError, require
from qrt_async.emulator.plans import PLANS, REGIONS
from qrt_async.emulator.settings import ClockKind, Settings
from qrt_async.emulator.store import StateFileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_OPEN_FILES = 65_536


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; give the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)  # until the server takes over
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        require()
        settings = _settings(parser, chosen)
        _raise_file_limit()
        asyncio.run(_serve(settings, chosen.port, until_stdin_closes=chosen.until_stdin_closes))
    except (MissingExtraError, UnknownDeviceError, StateFileError) as error:
        return _give_up(str(error))
    except OSError as error:
        return _give_up(f"cannot listen on 127.0.0.1:{chosen.port}: {error.strerror or error}")
    return 0


async def _serve(settings: Settings, port: int, *, until_stdin_closes: bool) -> None:
    from qrt_async.emulator.serving import serve

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings, port) as served:
        if until_stdin_closes:
            loop.add_reader(sys.stdin.fileno(), _watch, loop, sys.stdin.fileno(), stop)
        print(f"LISTENING {served.url}", flush=True)
        await stop.wait()


def _watch(loop: asyncio.AbstractEventLoop, descriptor: int, stop: asyncio.Event) -> None:
    """Stop at the end of our input: it comes even when the parent was killed."""
    if not os.read(descriptor, 4096):
        loop.remove_reader(descriptor)
        stop.set()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qrt_async.emulator",
        description="Emulate the Qiskit Runtime REST API, both platforms, on 127.0.0.1.",
    )
    parser.add_argument("--port", type=_port, default=0, help="where to listen; 0 (default): any free port")
    parser.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help="accept this API key (repeatable); without it, every key that does not begin with 'bad'",
    )
    parser.add_argument("--seed", type=int, help="make ids and samples reproducible")
    parser.add_argument("--noiseless", action="store_true", help="leave out the devices' noise")
    parser.add_argument("--backends", metavar="A,B", help="the devices on offer")
    parser.add_argument("--workers", type=_workers, default=2, help="worker processes (default 2)")
    parser.add_argument("--plan", choices=sorted(PLANS), default="premium", help="the instances' plan (premium)")
    parser.add_argument("--region", choices=REGIONS, default=REGIONS[0], help=f"where it is (default {REGIONS[0]})")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep jobs, results and sessions in this file")
    parser.add_argument(
        "--known-500s", action="store_true", help="answer with an internal error where the service is known to"
    )
    _add_adversity(parser)
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    return parser


def _add_adversity(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("time and adversity")
    group.add_argument(
        "--clock",
        choices=[kind.value for kind in ClockKind],
        default=ClockKind.REAL.value,
        help="whose time it lives by: the machine's, its own that moves when told, or whenever all wait (real)",
    )
    for option, what in (("--queue-seconds", "wait in the queue"), ("--run-seconds", "take the device")):
        group.add_argument(
            option,
            type=_seconds,
            action="append",
            default=[],
            metavar="[BACKEND=]N",
            help=f"how long jobs {what}, on one backend or on all (repeatable)",
        )
    group.add_argument("--token-lifetime", type=_lifetime, metavar="N", help="how many seconds tokens live")
    group.add_argument("--quota", type=_count, metavar="N", help="refuse more than N submissions a minute of one user")
    group.add_argument("--pending-jobs", type=_count, metavar="N", help="refuse a job when N of the user are pending")
    group.add_argument(
        "--refuse-beyond-usage", action="store_true", help="refuse jobs of an instance without usage left (409)"
    )
    group.add_argument("--record", action="store_true", help="keep the requests that arrive, for the ledger")


def _settings(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> Settings:
    defaults = Settings()
    backends = defaults.backends
    if chosen.backends is not None:
        backends = tuple(dict.fromkeys(name.strip() for name in chosen.backends.split(",")))
        if unknown := [name for name in backends if name not in available()]:
            parser.error(
                f"argument --backends: no device named {', '.join(map(repr, unknown))}; "
                f"choose from {', '.join(available())}"
            )
    if not all(chosen.api_key):
        parser.error("argument --api-key: a key must not be empty")
    return Settings(
        tuple(chosen.api_key),
        chosen.seed,
        chosen.noiseless,
        backends,
        chosen.workers,
        PLANS[chosen.plan],
        chosen.region,
        chosen.state,
        chosen.known_500s,
        ClockKind(chosen.clock),
        _by_backend(parser, chosen.queue_seconds, backends),
        _by_backend(parser, chosen.run_seconds, backends),
        chosen.token_lifetime,
        chosen.quota,
        chosen.pending_jobs,
        chosen.refuse_beyond_usage,
        chosen.record,
    )


def _by_backend(
    parser: argparse.ArgumentParser, chosen: list[tuple[str, float]], backends: tuple[str, ...]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, seconds in chosen:
        if name and name not in backends:
            parser.error(f"a time for {name!r}, which is not one of the backends {', '.join(backends)}")
        found.update(dict.fromkeys([name] if name else backends, seconds))
    return found


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{value} is not a port (0 to 65535)")
    return value


def _seconds(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    value = float(number)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{number} is not a number of seconds")
    return name, value


def _lifetime(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a lifetime")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a limit (1 or more)")
    return value


def _workers(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of processes (1 or more)")
    return value


def _raise_file_limit() -> None:
    """Let thousands of clients connect: the soft limit is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _give_up(why: str) -> int:
    print(f"python -m qrt_async.emulator: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
