"""From options to a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from qrt_async import environment
from qrt_async.account import Account
from qrt_async.cli.local import local_emulator
from qrt_async.cli.options import Service
from qrt_async.cli.output import Output
from qrt_async.client import Client
from qrt_async.errors import InvalidAccount, UsageError
from qrt_async.saved import default_path

_LOCAL_CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/local:local::"


@asynccontextmanager
async def connected(service: Service, output: Output) -> AsyncGenerator[Client, None]:
    """Give a client of the service that the options mean, logged out and closed at the end."""
    async with account_of(service, output) as account, Client(account) as client:
        yield client


@asynccontextmanager
async def account_of(service: Service, output: Output) -> AsyncGenerator[Account, None]:
    """Give the account that the options mean; a local emulator lasts as long as the block."""
    if not service.local:
        yield await asyncio.to_thread(chosen_account, service)
        return
    if service.account is not None:
        raise UsageError("--local has an account of its own: leave out --account")
    async with AsyncExitStack() as stack:
        with output.progress("starting the emulator"):
            url = await stack.enter_async_context(local_emulator())
        yield Account.ibm_quantum("local-key", _LOCAL_CRN, api_url=f"{url}/api/v1", iam_url=url)


def chosen_account(service: Service) -> Account:
    """
    Return the saved account that is named, else the environment's, else the saved one that is the default.

    Raises:
        InvalidAccount: there is none; the message says how to come by one.

    """
    variables = dict(environment.variables())
    if service.account is None and variables.get("QISKIT_IBM_TOKEN"):
        replaced = {"QRT_API_URL": service.api_url, "QRT_AUTH_URL": service.iam_url}
        return Account.from_env(variables | {name: url for name, url in replaced.items() if url is not None})
    if service.account is None and not default_path().exists():
        raise InvalidAccount(
            "there is no account: save one with 'qrt account save', or set QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE, "
            "or try --local, which needs none"
        )
    return Account.from_saved(
        service.account,
        api_url=service.api_url,
        iam_url=service.iam_url or variables.get("IAM_URL"),
        search_url=variables.get("GLOBAL_SEARCH_URL"),
        catalog_url=variables.get("GLOBAL_CATALOG_URL"),
    )
