"""The commands of ``qrt``."""

from __future__ import annotations

import asyncio

from cyclopts import App

from qrt_async.cli.demo import run_demo

app: App = App(name="qrt", help="IBM's Qiskit Runtime from the command line.", help_format="plaintext")


@app.command
def demo() -> None:
    """
    Run the whole story on an embedded emulator: log in, transpile, run jobs and a session, log out.

    Exit status 0 means that every step checked out.
    """
    raise SystemExit(asyncio.run(run_demo()))
