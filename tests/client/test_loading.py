"""What is heavy is loaded beside the event loop."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.client import scripted

SCRIPT = """
import asyncio, sys, threading
from qrt_async import Account, Client

class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print("main" if threading.current_thread() is threading.main_thread() else "thread")

sys.meta_path.insert(0, Spy())

async def main():
    url, key, crn = sys.argv[1:]
    async with Client(Account.ibm_quantum(key, crn, api_url=f"{url}/api/v1", iam_url=url)) as client:
        await client.job("j").result()

asyncio.run(main())
"""


async def test_numpy_is_imported_in_a_thread(service: scripted.Service) -> None:
    """The first result of a process does not keep its event loop waiting while NumPy is imported."""
    service.on("GET /api/v1/jobs/j", scripted.job("Completed"))
    service.on("GET /api/v1/jobs/j/results", scripted.reply(body=scripted.RESULT))
    arguments = ["-c", SCRIPT, service.url, scripted.KEY, scripted.CRN]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    said, _ = await process.communicate()

    assert said.decode().split() == ["thread"]
