"""The ``qrt`` command."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Run the command line; without its extra, say what to install and exit with status 2."""
    missing = [name for name in ("cyclopts", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(f"qrt needs {' and '.join(missing)}: pip install 'qrt-async[cli]'\n")
        raise SystemExit(2)
    from qrt_async.cli.app import run_app

    raise SystemExit(run_app(sys.argv[1:]))
