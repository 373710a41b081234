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
    │   ├── KeyMismatch
    │   ├── ResumeMismatch
    │   └── ClientClosed
    ├── TransportError                     no complete reply; `left` says whether the request may have arrived
    │   ├── ConnectionFailed               it never left
    │   │   ├── ProxyRefused               a proxy did not let it through
    │   │   └── UntrustedCertificate       whoever answered could not prove to be the service
    │   ├── LoginUnavailable           no token (or no instance) is to be had for now; it never left
    │   ├── Disconnected
    │   ├── TruncatedReply
    │   └── RequestTimeout (TimeoutError)
    ├── ProtocolError                      a reply that cannot be read; names the place
    ├── ApiError                           the service said no: status, code, solution, trace
    │   ├── BadRequest
    │   │   └── PayloadTooLarge
    │   ├── Unauthorized                   the credentials were refused
    │   ├── Forbidden                      they are good, and not for this
    │   ├── Blocked                        a firewall or proxy refused, and not the service
    │   ├── NotFound
    │   ├── Conflict
    │   │   └── UsageLimitReached          the instance's minutes are used up
    │   ├── RateLimited
    │   ├── TooManyPendingJobs             wait for one to end
    │   ├── BackendReserved                somebody else's for now
    │   ├── SessionNotOpen                 the session takes no more jobs; nothing was created
    │   └── ServerError
    ├── LoginError                         the credentials were refused
    ├── NeverSubmitted                     a process ended before it had submitted this: submit it again
    ├── QuotaTimeout (TimeoutError)        no turn under the quota before the deadline; nothing was sent
    ├── SubmissionUncertain                nobody can tell whether a job was created; holds tag and candidates
    ├── Overloaded                         so many callers wait already; `retry_after` says when to come again
    ├── CoalescerClosed                    it was left before the caller had a result; `job_id` where there is a job
    ├── NoBackend                          no backend meets the conditions
    ├── TranspileError                     a circuit could not be transpiled
    ├── JobError                           the job itself ended badly: status, reason, code, solution
    │   ├── JobFailed · SessionClosed (a JobFailed) · JobCancelled · JobRanTooLong
    ├── UnknownJobStatus                   the service named a status that this version does not know
    ├── ResultNotAvailable                 the job is over, and the service has no result for it
    │   └── PrivateResultLost              it was on its way when the connection failed, and can be read once only
    ├── BudgetExceeded                     a submission would go beyond a budget; it was not sent
    ├── WaitTimeout (TimeoutError)         the caller's own deadline passed; the job goes on
    ├── SessionUncertain                   nobody can tell whether a session was opened; holds candidates
    ├── JournalError                       the journal cannot be read or written; nothing more was sent
    │   └── JournalBusy                    a living process owns the run
    └── SessionNotEnded                    a session could not be closed; it may still be billed
"""

from __future__ import annotations


class QrtError(Exception):
    """The root of everything this package raises on purpose."""

    circumstance: str = ""

    def explain(self, circumstance: str) -> None:
        """Add to the message what the place that raised the error could not know."""
        self.circumstance = circumstance

    def __str__(self) -> str:
        return f"{super().__str__()} {self.circumstance}".rstrip()


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


class KeyMismatch(UsageError):
    """A `key` was used before for another submission: take another key, or send the same again."""

    def __init__(self, name: str, job_id: str | None) -> None:
        self.name = name
        self.job_id = job_id
        made = f" and gave job {job_id}" if job_id else ""
        super().__init__(
            f"{name!r} was used for a submission with other content{made}: "
            "take a new key for new work, or pass the same circuits, values and options again"
        )


class ResumeMismatch(UsageError):
    """A run is resumed with other PUBs than it began with; `index` is the first that differs."""

    def __init__(self, run_id: str, index: int) -> None:
        self.run_id = run_id
        self.index = index
        super().__init__(
            f"PUB {index} is not the one that run {run_id!r} began with: "
            "pass the same PUBs in the same order, or begin a new run"
        )


class TransportError(QrtError):
    """
    No complete reply arrived.

    `left` is False where the request certainly never reached the service, and True where it may have been acted on.
    """

    left: bool = True
    advice: str = "The request may have been acted on: look, before sending again what is not a read."

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(f"{operation}: {message}. {self.advice}")
        self.operation = operation


class ConnectionFailed(TransportError):
    """No connection could be made (name, route, refusal or TLS): the request never left."""

    left = False
    advice = "Nothing was sent: check the network, the account's URLs, and the proxy where there is one."


class ProxyRefused(ConnectionFailed):
    """The proxy opened no tunnel to the host; the message gives its own answer (407: it wants to know who asks)."""

    advice = "Nothing was sent: check the proxy's user and password, Network(proxy=…), and that it allows this host."


class UntrustedCertificate(ConnectionFailed):
    """The host's certificate is signed by nobody who is trusted, has expired, or is another host's."""

    advice = (
        "Nothing was sent: where a private installation or a company's proxy signs with an authority of its own, "
        "trust that one, Network(ca_bundle='ca.pem')."
    )


class LoginUnavailable(TransportError):
    """
    The token service, or the search for the instance that the account names not, fails for the moment.

    The call itself never left. `retry_after` is what that service asked to wait (seconds), None where it did not say.
    """

    left = False
    advice = "Nothing was sent: try again later; what waits for a job goes on trying by itself."

    def __init__(self, why: QrtError, *, operation: str) -> None:
        super().__init__(f"could not log in ({why})", operation=operation)
        self.retry_after: float | None = getattr(why, "retry_after", None)


class Disconnected(TransportError):
    """The connection was lost before a reply began."""


class TruncatedReply(TransportError):
    """The reply began and was cut short."""

    advice = "The request was acted on, and only its answer is lost: a read may be repeated."


class RequestTimeout(TransportError, TimeoutError):
    """One request took longer than its time-out allows."""

    advice = "It may have been acted on: look, before sending again what is not a read, or grant more (Timeouts)."


class ProtocolError(QrtError):
    """A reply that is not what the API promises; the message names the place, as in ``$.jobs[3].id``."""

    advice: str = "Check that the account's URLs lead to the service, and update qrt_async if it has learned new words."

    def __init__(self, message: str, *, operation: str = "reply") -> None:
        super().__init__(f"{operation}: {message}. {self.advice}")
        self.operation = operation


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


class ApiError(QrtError):
    """
    The service answered, and said no.

    `status` is the HTTP status, `code` IBM's own number, `solution` its advice, `trace` what IBM's support asks for,
    `retry_after` the seconds that the service asked to wait: each None where the reply did not say. `advice` is ours,
    and ends the message where the service has none.
    """

    advice: str = "Look the status and code up in the page on errors, or ask IBM's support with the trace."

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
        parts = [f"{self.operation}: HTTP {self.status}{number}: {_sentence(self.message)}"]
        parts.append(self.solution or self.advice)
        if self.trace:
            parts.append(f"[trace {self.trace}]")
        return " ".join(parts)


class BadRequest(ApiError):
    """The service could not accept the request as it is (400, 422)."""

    advice = "Correct what the message names: the same request would be refused again."


class PayloadTooLarge(BadRequest):
    """The request is larger than the service, or something in front of it, takes (413, code 1001)."""

    advice = "Send fewer PUBs, or fewer parameter sets, in one job."


class Unauthorized(ApiError):
    """The token or key was refused (401), also after it had been renewed once."""

    advice = "Check the key, and that it is still valid and belongs to this account and platform."


class Forbidden(ApiError):
    """The credentials are good, and do not allow this (403 in the service's own words)."""

    advice = "Check the instance, and ask whoever administers it for the role that this needs."


class Blocked(ApiError):
    """
    Something in front of the service refused: a firewall (403 with an HTML page) or a proxy (407).

    The account is not to blame, and repetition does not help; `trace` is the firewall's own number, where it gives one.
    """

    advice = (
        "The service never saw the request: where all requests are refused, try another network or correct the proxy; "
        "where only some jobs are, a firewall took their content for an attack: send fewer PUBs in one job, "
        "and tell IBM's support the trace."
    )


class NotFound(ApiError):
    """No such backend, job, session or instance, for this account (404)."""

    advice = "Check the name or id, and that it belongs to this instance and its region."


class Conflict(ApiError):
    """The state of the job or the instance does not allow this (409)."""

    advice = "Look at the present state first: the same request would be refused again."


class UsageLimitReached(Conflict):
    """The instance has used up what it may (409 on a submission, or code 4317); no job was created."""

    advice = "Raise the instance's limit (client.instance), wait until its period starts anew, or use another instance."


class RateLimited(ApiError):
    """Too many requests (429)."""

    advice = "Wait, pack more PUBs into fewer jobs, and let one client send for all."


class TooManyPendingJobs(ApiError):
    """The account has as many jobs waiting as it may (codes 3458 and 1012); no job was created."""

    advice = "Wait until one of the pending jobs ends, or cancel one, and submit again."


class BackendReserved(ApiError):
    """The backend is reserved for others at present (423, code 1233); no job was created."""

    advice = "Use another backend, or submit again when the reservation is over."


class SessionNotOpen(ApiError):
    """A job was to go into a session that takes no more (codes 1217 and 4001); no job was created."""

    advice = "Open a new session, and submit there."


class ServerError(ApiError):
    """The service, or the edge in front of it, failed (5xx)."""

    advice = "Try again later; where a job was being submitted, look for it before submitting it again."


class LoginError(QrtError):
    """The token service refused the credentials, or its reply cannot be read: check the key and the account's URLs."""


class Overloaded(QrtError):
    """
    So many callers wait for a job already that another one was not taken; nothing was sent.

    `waiting` is how many PUBs wait, `retry_after` about how many seconds it takes to submit them under the quota: a web
    handler answers 503 with it as its ``Retry-After``.
    """

    def __init__(self, waiting: int, retry_after: float) -> None:
        self.waiting = waiting
        self.retry_after = retry_after
        super().__init__(
            f"{waiting} PUBs wait to be submitted, as many as may: try again in about {retry_after:.3g} s, or raise "
            "max_waiting"
        )


class CoalescerClosed(QrtError):
    """A coalescer was left before the caller had a result; `job_id` is None where there was no job."""

    def __init__(self, job_id: str | None, *, cancelled: bool = False) -> None:
        self.job_id = job_id
        became = (
            "the PUB was not submitted; ask again once there is a new one"
            if job_id is None
            else f"job {job_id} was cancelled"
            if cancelled
            else f"job {job_id} goes on: client.job({job_id!r}) has its result"
        )
        super().__init__(f"the coalescer was closed: {became}")


class NoBackend(QrtError):
    """No backend of the instance meets the conditions; the message says what there is."""


class TranspileError(QrtError):
    """A circuit could not be transpiled; the message gives the transpiler's reason."""


class JobError(QrtError):
    """
    A job that ended without a result.

    `reason`, `code` and `solution` are the service's own words, None where it gave none; `advice` is ours, and ends the
    message where the service has none.
    """

    advice: str = "Look at job.logs() for what happened."

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
        what = _sentence(f"job {job_id} ended as {status}{number}{because}")
        super().__init__(f"{what} {solution or self.advice}")


class JobFailed(JobError):
    """The program failed; `reason` says why."""

    advice = "Correct what the reason names (job.logs() may say more), and submit again."


class SessionClosed(JobFailed):
    """The job's session was closed before the job could run (code 1217)."""

    advice = "It never ran: submit it again, in a session that is open."


class JobCancelled(JobError):
    """The job was cancelled before it had a result."""

    advice = "Submit it again if somebody else cancelled it."


class JobRanTooLong(JobError):
    """The job was stopped at its time limit (code 1305), and was charged for it."""

    advice = "Raise max_time, or send fewer PUBs in one job."


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

    def __init__(self, job_id: str, why: str | None = None) -> None:
        self.job_id = job_id
        super().__init__(
            why
            or f"job {job_id} is completed, but the service has no result for it: private results "
            "can be read once only, and deleted ones are gone"
        )


class PrivateResultLost(ResultNotAvailable):
    """A private job's result was on its way when the connection failed; the service gives it once only."""

    def __init__(self, job_id: str, why: str, received: int) -> None:
        self.received = received
        super().__init__(
            job_id,
            f"the result of the private job {job_id} was lost in transit after {received} bytes ({why}); "
            "the service gives a private result once only, so the job must be run again",
        )


class NeverSubmitted(QrtError):
    """A process that is gone meant to submit this, and no job of its tag exists: submit it again."""

    def __init__(self, tag: str, key: str | None) -> None:
        self.tag = tag
        self.key = key
        named = f" (key {key!r})" if key else ""
        super().__init__(
            f"the submission {tag}{named} was meant, and its process ended before it was sent: no job exists, so it "
            "can be submitted again"
        )


class QuotaTimeout(QrtError, TimeoutError):
    """The next turn under the quota of submissions lies beyond the call's deadline; nothing was sent."""

    def __init__(self, wait: float, left: float) -> None:
        self.wait = wait
        super().__init__(
            f"the quota of submissions has a turn in {wait:.3g} s, and the call's deadline is in {left:.3g} s: nothing "
            "was sent; give it more time, or put more PUBs into one job"
        )


class SubmissionUncertain(QrtError):
    """
    Nobody can tell whether a submission created a job.

    `tag` is what the job would bear, `candidates` the ids of jobs that may be it.
    """

    def __init__(self, tag: str, why: str, candidates: tuple[str, ...] = ()) -> None:
        self.tag = tag
        self.candidates = candidates
        among = f" It may be one of: {', '.join(candidates[:10])}." if candidates else ""
        super().__init__(
            f"it is unknown whether a job was created ({why}); it was not submitted again. Look for the tag {tag!r} "
            f"with client.jobs.list(JobFilter(tags=({tag!r},))) before you submit it once more.{among}"
        )


class SessionUncertain(QrtError):
    """
    Nobody can tell whether a session was opened: the service gives no handle to look for it by.

    `candidates` are the ids of open sessions that may be it; look at them with ``client.sessions.get``, and end what is
    yours with ``client.sessions.cancel``.
    """

    def __init__(self, backend: str, why: str, max_time: int, candidates: tuple[str, ...] = ()) -> None:
        self.backend = backend
        self.candidates = candidates
        among = f"candidates: {', '.join(candidates)}" if candidates else "no open session of this kind is listed"
        super().__init__(
            f"it is unknown whether a session on {backend} was opened ({why}); {among}. End what is yours with "
            f"client.sessions.cancel(id); by itself it ends after {max_time} s at the latest"
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


class JournalError(QrtError):
    """The journal cannot be read or written; the message says what to do. What it could not note was not sent."""


class JournalBusy(JournalError):
    """A living process owns the run: let it finish, or end the process `pid`."""

    def __init__(self, run_id: str, pid: int) -> None:
        self.run_id = run_id
        self.pid = pid
        super().__init__(f"run {run_id!r} is owned by process {pid}: let it finish, or end it and try again")
