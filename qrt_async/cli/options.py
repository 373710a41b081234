"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Group, Parameter

_SERVICE = Group("Service", sort_key=2)
_REPORT = Group("Report", sort_key=3)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Report:
    """How a command reports."""

    json: Annotated[bool, Parameter(group=_REPORT, help="Answer with a JSON document.")] = False
    debug: Annotated[bool, Parameter(group=_REPORT, help="Show where an error came from.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Service(Report):
    """Which service a command speaks to, and as whom."""

    local: Annotated[
        bool, Parameter(group=_SERVICE, help="Use an emulator on this machine, whose state is kept between commands.")
    ] = False
    account: Annotated[
        str | None, Parameter(group=_SERVICE, help="Use this saved account, not that of the environment.")
    ] = None
    api_url: Annotated[str | None, Parameter(group=_SERVICE, env_var="QRT_API_URL", help="Replace the API's URL.")] = (
        None
    )
    iam_url: Annotated[
        str | None,
        Parameter(group=_SERVICE, env_var="QRT_AUTH_URL", help="Replace the token service's URL."),
    ] = None


REPORT = Report()
SERVICE = Service()
