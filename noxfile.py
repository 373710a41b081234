"""The project's checks: ``nox`` runs lint, typing, tests on every supported Python that is there, and docs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

PROJECT = nox.project.load_toml()
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
SOURCES = ("qrt_async", "tests", "benchmarks", "docs", "noxfile.py")

nox.options.sessions = ["lint", "typing", "interop", "tests", "soak", "contract", "docs"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False


def _answers(python: Path | str, version: str) -> bool:
    asked = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    return done.returncode == 0 and done.stdout.strip() == version


def _interpreters() -> list[str]:
    """Return every supported Python that runs here: on the path, or among pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: list[str] = []
    for version in SUPPORTED:
        on_path = shutil.which(f"python{version}")
        candidates: list[Path | str] = [*([on_path] if on_path else []), *sorted(root.glob(f"{version}.*/bin/python"))]
        found += [str(python) for python in candidates if _answers(python, version)][:1]
    return found


PYTHONS = _interpreters()
QUICK = ("tests/unit", "tests/client", "tests/journal")


def _install(session: nox.Session, *what: str) -> None:
    """Install with uv, which keeps what several sessions need in one cache."""
    session.install("uv")
    session.run("uv", "pip", "install", "--quiet", "--compile-bytecode", *what, silent=True)


def _group(name: str) -> tuple[str, ...]:
    return tuple(nox.project.dependency_groups(PROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    _install(session, *_group("lint"))
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def typing(session: nox.Session) -> None:
    _install(session, ".[emulator,cli,plot]", *_group("typing"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "qrt_async", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test on every supported Python that is there: on the first all, on the others what depends on the Python most."""
    session.log(f"Pythons that run here: {', '.join(PYTHONS)}")
    _install(session, "-e", ".[emulator,cli,plot]", *_group("test"))
    chosen = ["tests"] if session.python == PYTHONS[0] else QUICK
    session.run("python", "-m", "pytest", "-n", "2", "--ignore=tests/interop", *(session.posargs or chosen))


@nox.session
def soak(session: nox.Session) -> None:
    """
    Break the promises at scale and print what came of it: a small soak, or `nox -s soak -- full`.

    Full means ten thousand submissions, two hundred campaigns of five hundred PUBs, and a hundred thousand replies.
    """
    _install(session, "-e", ".[emulator]", *_group("test"))
    full = "full" in session.posargs
    session.run("python", "-m", "tests.promises.soaking", "10000" if full else "500")
    session.run("python", "-m", "tests.promises.campaigning", *(["200", "500"] if full else ["6", "100"]))
    session.run("python", "-m", "tests.promises.replies", "100000" if full else "500")


@nox.session
def interop(session: nox.Session) -> None:
    """Send IBM's own client, unmodified, to an emulator."""
    _install(session, "-e", ".[emulator]", *_group("interop"))
    session.run("python", "-m", "pytest", "tests/interop", *session.posargs)


@nox.session
def contract(session: nox.Session) -> None:
    """Hold an emulator against our statement of the contract: 30 s, or `nox -s contract -- SECONDS`."""
    _install(session, "-e", ".[emulator]", *_group("contract"))
    session.run("python", "-m", "tests.emulator.fuzzing", *(session.posargs or ["30"]))


@nox.session
def docs(session: nox.Session) -> None:
    _install(session, "-e", ".", *_group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Print the benchmarks' figures; nothing here can fail for being slow."""
    _install(session, "-e", ".[emulator]", "fastapi", "uvicorn")
    session.run("python", "benchmarks/thousand_jobs.py", *session.posargs)
    session.run("python", "benchmarks/throughput.py", "--official")
    session.run("python", "benchmarks/web_services.py")
    session.run("python", "benchmarks/results.py")
