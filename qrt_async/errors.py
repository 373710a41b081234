"""
What can go wrong, as one tree.

::

    QrtError
    ├── UsageError (ValueError)            the call is wrong; nothing was sent
    │   ├── InvalidAccount
    │   ├── InvalidPub · PubTooLarge (an InvalidPub)
    │   ├── InvalidOption
    │   ├── NoSuchRegister (AttributeError, KeyError)
    │   ├── MissingExtra
    │   └── ClientClosed
    ├── TransportError                     no complete reply; `left` says whether the request may have arrived
    │   ├── ConnectionFailed               it never left
    │   ├── Disconnected
    │   ├── TruncatedReply
    │   └── RequestTimeout (TimeoutError)
    ├── ProtocolError                      a reply that cannot be read; names the place
    ├── ApiError                           the service said no: status, code, solution, trace
    │   ├── BadRequest · Unauthorized · Forbidden · NotFound · Conflict · RateLimited · ServerError
    ├── LoginError                         the credentials were refused
    ├── NoBackend                          no backend meets the conditions
    ├── TranspileError                     a circuit could not be transpiled
    ├── JobError                           the job itself ended badly: status, reason, code, solution
    │   ├── JobFailed · SessionClosed (a JobFailed) · JobCancelled · JobRanTooLong
    ├── UnknownJobStatus                   the service named a status that this version does not know
    ├── ResultNotAvailable                 the job is over, and the service has no result for it
    ├── BudgetExceeded                     a submission would go beyond a budget; it was not sent
    ├── WaitTimeout (TimeoutError)         the caller's own deadline passed; the job goes on
    └── SessionNotEnded                    a session could not be closed; it may still be billed
"""

from __future__ import annotations


class QrtError(Exception):
    """The root of everything this package raises on purpose."""


class UsageError(QrtError, ValueError):
    """The call itself is wrong; nothing was sent."""


class InvalidAccount(UsageError):
    """Credentials or an instance that cannot be meant."""


class InvalidPub(UsageError):
    """A PUB that no service would accept; the message says which one and where."""


class PubTooLarge(InvalidPub):
    """A PUB that breaks a limit of a job all by itself; `index` is its place among the PUBs."""

    def __init__(self, index: int, why: str) -> None:
        self.index = index
        super().__init__(f"PUB {index}: {why}")


class InvalidOption(UsageError):
    """An option outside its range; the message names the option and the range."""


class NoSuchRegister(UsageError, AttributeError, KeyError):
    """A result has no register or value of that name; the message lists those it has."""

    def __str__(self) -> str:
        return str(self.args[0])


class MissingExtra(UsageError, ImportError):
    """A feature needs packages that are not installed; the message gives the command."""


class ClientClosed(UsageError):
    """The client was used after it had been closed."""


class TransportError(QrtError):
    """
    No complete reply arrived.

    `left` is False where the request certainly never reached the service, and True where it may have been acted on.
    """

    left: bool = True

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation


class ConnectionFailed(TransportError):
    """No connection could be made (name, route, refusal or TLS): the request never left."""

    left = False


class Disconnected(TransportError):
    """The connection was lost before a reply began."""


class TruncatedReply(TransportError):
    """The reply began and was cut short."""


class RequestTimeout(TransportError, TimeoutError):
    """One request took longer than its time-out allows."""


class ProtocolError(QrtError):
    """A reply that is not what the API promises; the message names the place, as in ``$.jobs[3].id``."""

    def __init__(self, message: str, *, operation: str = "reply") -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation


class ApiError(QrtError):
    """
    The service answered, and said no.

    `status` is the HTTP status, `code` IBM's own number, `solution` its advice, `trace` what IBM's support asks for,
    `retry_after` the seconds that the service asked to wait: each None where the reply did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int,
        code: int | str | None = None,
        solution: str | None = None,
        trace: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.solution = solution
        self.trace = trace
        self.retry_after = retry_after
        self.message = message
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        number = f" (code {self.code})" if self.code is not None else ""
        parts = [f"{self.operation}: HTTP {self.status}{number}: {self.message}"]
        if self.solution:
            parts.append(self.solution)
        if self.trace:
            parts.append(f"[trace {self.trace}]")
        return " ".join(parts)


class BadRequest(ApiError):
    """The service could not accept the request as it is (400, 422)."""


class Unauthorized(ApiError):
    """The token or key was refused (401), also after it had been renewed once."""


class Forbidden(ApiError):
    """The account may not do this, or a firewall stands in between (403)."""


class NotFound(ApiError):
    """No such backend, job, session or instance, for this account (404)."""


class Conflict(ApiError):
    """The state of the job or the instance does not allow this (409)."""


class RateLimited(ApiError):
    """Too many requests (429)."""


class ServerError(ApiError):
    """The service, or the edge in front of it, failed (5xx)."""


class LoginError(QrtError):
    """The token service refused the credentials: check the key and the account it belongs to."""


class NoBackend(QrtError):
    """No backend of the instance meets the conditions; the message says what there is."""


class TranspileError(QrtError):
    """A circuit could not be transpiled; the message gives the transpiler's reason."""


class JobError(QrtError):
    """
    A job that ended without a result.

    `reason`, `code` and `solution` are the service's own words, None where it gave none.
    """

    def __init__(
        self,
        job_id: str,
        status: str,
        *,
        reason: str | None = None,
        code: int | None = None,
        solution: str | None = None,
    ) -> None:
        self.job_id = job_id
        self.status = status
        self.reason = reason
        self.code = code
        self.solution = solution
        number = f" (code {code})" if code is not None else ""
        because = f": {reason}" if reason else ""
        advice = f" {solution}" if solution else ""
        super().__init__(f"job {job_id} ended as {status}{number}{because}{advice}")


class JobFailed(JobError):
    """The program failed; `reason` says why."""


class SessionClosed(JobFailed):
    """The job's session was closed before the job could run (code 1217): submit it again."""


class JobCancelled(JobError):
    """The job was cancelled before it had a result."""


class JobRanTooLong(JobError):
    """The job was stopped at its time limit (code 1305): raise `max_time`, or send fewer PUBs in one job."""


class UnknownJobStatus(QrtError):
    """The service reports a job status that this version does not know, so waiting on would be a guess."""

    def __init__(self, job_id: str, status: str) -> None:
        self.job_id = job_id
        self.status = status
        super().__init__(
            f"job {job_id} has the unknown status {status!r}; look at it again with job.status(), "
            "or update qrt_async if the service has learned a new word"
        )


class ResultNotAvailable(QrtError):
    """The job is over, and the service has no result for it (deleted, or a private result read before)."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"job {job_id} is completed, but the service has no result for it: private results "
            "can be read once only, and deleted ones are gone"
        )


class BudgetExceeded(QrtError):
    """
    A submission might cost more than a budget has left, and was not sent.

    All figures are quantum seconds: `wanted` is what it might cost, `remaining` what was left, `ceiling` the budget.
    """

    def __init__(self, *, wanted: float, remaining: float, ceiling: float) -> None:
        self.wanted = wanted
        self.remaining = remaining
        self.ceiling = ceiling
        super().__init__(
            f"{wanted:g} quantum seconds are wanted, but {remaining:g} of the budget's {ceiling:g} remain: "
            "raise the budget, or lower max_time or the work"
        )


class WaitTimeout(QrtError, TimeoutError):
    """The caller's deadline passed while something was still going on; nothing was cancelled."""


class SessionNotEnded(QrtError):
    """A session could not be ended: end it with the given id, since it may still be billed."""

    def __init__(self, session_id: str, why: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id} could not be ended and may still be billed: {why}")
