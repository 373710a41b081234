"""A terminal for a command to run on."""

from __future__ import annotations

import os
import subprocess

from tests.cli.conftest import QRT, Qrt


def on_terminal(qrt: Qrt, *arguments: str, typed: str = "", **more: str) -> tuple[int, str]:
    """Run a command with all its streams on a terminal; give its exit status, and what the terminal was shown."""
    ours, its = os.openpty()
    process = subprocess.Popen(
        [QRT, *arguments],
        env={**qrt.environment, "TERM": "xterm", **more},
        cwd=qrt.folder,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    shown = ""
    with process:
        while piece := _read(ours):
            shown += piece
            if typed and shown.endswith((": ", "] ")):
                os.write(ours, typed.encode())
                typed = ""
    os.close(ours)
    return process.returncode, shown


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 4096).decode(errors="replace")
    except OSError:  # nobody has the other end any more
        return ""
