"""The two primitives: PUBs and settings → a job to be submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from qrt_async import pubs as pub_rules
from qrt_async.errors import InvalidOption, UsageError
from qrt_async.models.jobs import JobRequest, Program
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.wire import primitives as wire

R = TypeVar("R")

_LONGEST = 10_800


def sampler_job(
    pubs: Iterable[SamplerPubLike],
    *,
    backend: str,
    shots: int | None,
    options: Mapping[str, Any] | None,
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None = None,
) -> JobRequest[SamplerResult]:
    """Return a checked sampler job (`UsageError` for whatever the service is sure to refuse)."""
    checked = pub_rules.sampler_pubs(pubs, backend=_name(backend), shots=shots)
    params = wire.sampler_params(checked, options)
    return _job(wire.SAMPLER, backend, params, tags, private, max_time, session_id)


def estimator_job(
    pubs: Iterable[EstimatorPubLike],
    *,
    backend: str,
    precision: float | None,
    options: Mapping[str, Any] | None,
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None = None,
) -> JobRequest[EstimatorResult]:
    """Return a checked estimator job (`UsageError` for whatever the service is sure to refuse)."""
    checked = pub_rules.estimator_pubs(pubs, backend=_name(backend), precision=precision)
    params = wire.estimator_params(checked, options)
    return _job(wire.ESTIMATOR, backend, params, tags, private, max_time, session_id)


def _job(
    program: Program[R],
    backend: str,
    params: Mapping[str, Any],
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None,
) -> JobRequest[R]:
    return JobRequest(
        program=program,
        backend=backend,
        params=params,
        tags=pub_rules.tags(tags),
        private=private,
        max_time=checked_time(max_time, _LONGEST),
        session_id=session_id,
    )


def _name(backend: object) -> str:
    if not isinstance(backend, str) or not backend:
        raise UsageError(f"backend is a backend's name, such as 'ibm_fez', not {backend!r}")
    return backend


def checked_time(seconds: int | None, longest: int) -> int | None:
    """Return `max_time`, refused unless it is a whole number of seconds from 1 to `longest`."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= longest:
        raise InvalidOption(f"max_time is a whole number of seconds from 1 to {longest}, not {seconds!r}")
    return seconds
