"""Every Python snippet of the documentation runs as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_emulator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/docs:docs::"


def snippets() -> Iterator[object]:
    """Yield every Python block, named by page and position."""
    for page in PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        yield from (pytest.param(text, id=f"{page.name}-{i}") for i, text in enumerate(blocks))


def run(script: str, url: str, folder: Path) -> str:
    """Run a script as a user would in a folder, with an account at the emulator, and return what it prints."""
    environment = os.environ | {
        "QISKIT_IBM_TOKEN": "docs-key",
        "QISKIT_IBM_INSTANCE": CRN,
        "QRT_API_URL": f"{url}/api/v1",
        "QRT_AUTH_URL": url,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=script,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize("script", list(snippets()))
def test_snippets_run(script: str, emulator_url: str, tmp_path: Path) -> None:
    """A snippet ends well, without a warning, and prints something."""
    assert run(script, emulator_url, tmp_path)


@pytest.mark.parametrize("backend", ["ibm_sherbrooke", "ibm_fez"])
def test_the_front_page_is_right_wherever_the_transpiler_puts_it(backend: str, tmp_path: Path) -> None:
    """The README's example gives a Bell pair's counts and expectation value on either device."""
    [front, *_] = re.findall(r"^```python\n(.*?)^```", PAGES[0].read_text(), re.MULTILINE | re.DOTALL)
    with running_emulator("--seed", "3", "--noiseless", "--backends", backend) as url:
        counts, value = run(front, url, tmp_path).splitlines()

    assert set(re.findall(r"'(\d+)'", counts)) == {"00", "11"}
    assert abs(float(value) - 3.3) < 0.05
