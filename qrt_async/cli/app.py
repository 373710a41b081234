"""The commands of ``qrt``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from qrt_async.cli.account import account
from qrt_async.cli.backends import backends
from qrt_async.cli.demo import run_demo
from qrt_async.cli.emulator import emulator
from qrt_async.cli.exit import ExitStatus
from qrt_async.cli.jobs import cancel, job, jobs
from qrt_async.cli.output import Output
from qrt_async.cli.results import result
from qrt_async.cli.run import run
from qrt_async.cli.sessions import sessions
from qrt_async.cli.usage import usage
from qrt_async.cli.watch import watch

app: App = App(
    name="qrt",
    help="IBM's Qiskit Runtime from the command line.",
    help_format="plaintext",
    version=version("qrt-async"),
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
)

for _command in (backends, run, jobs, job, result, cancel, watch, sessions, usage, account):
    app.command(_command)
app.command(emulator, help_flags=[], version_flags=[])
app.register_install_completion_command(help="Make this shell complete qrt's commands and options.")


@app.command
def demo() -> int:
    """
    Run the whole story on an embedded emulator: log in, transpile, run jobs and a session, log out.

    Exit status 0 means that every step checked out.
    """
    return asyncio.run(run_demo())


def run_app(arguments: Sequence[str]) -> int:
    """Carry out a command line, and return its exit status."""
    try:
        return app(arguments, exit_on_error=False, print_error=False) or ExitStatus.OK
    except CycloptsError as error:
        Output(json=False).fail(f"{error}\nTry 'qrt --help', or --help after a command.")
        return ExitStatus.USAGE
