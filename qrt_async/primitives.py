"""The two primitives: PUBs and settings → a job to be submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from qrt_async import pubs as pub_rules
from qrt_async.errors import InvalidOption, UsageError
from qrt_async.models.jobs import JobRequest, Program
from qrt_async.models.primitive_options import EstimatorOptions, PrimitiveOptions, SamplerOptions
from qrt_async.models.results import EstimatorResult, SamplerResult
from qrt_async.pubs import EstimatorPubLike, SamplerPubLike
from qrt_async.wire import primitives as wire
from qrt_async.wire import typed_encoding
from qrt_async.wire.dialect import Platform

R = TypeVar("R")
P = TypeVar("P", bound=PrimitiveOptions)

_LONGEST = 10_800
_FEW = 4


async def sampler_job(
    pubs: Iterable[SamplerPubLike],
    *,
    platform: Platform,
    backend: str,
    shots: int | None,
    options: SamplerOptions | Mapping[str, Any] | None,
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None = None,
) -> JobRequest[SamplerResult]:
    """
    Return a checked sampler job (`UsageError` for whatever the service is sure to refuse).

    Large PUBs and circuits of Qiskit's take their time, so that a thread of its own makes them ready.
    """

    def ready() -> dict[str, Any]:
        checked = pub_rules.sampler_pubs(pubs, backend=_name(backend), shots=shots)
        return wire.sampler_params(checked, checked_options(SamplerOptions, options, platform))

    params = await _made(ready, pubs)
    return _job(wire.SAMPLER, backend, params, tags, private, max_time, session_id)


async def estimator_job(
    pubs: Iterable[EstimatorPubLike],
    *,
    platform: Platform,
    backend: str,
    precision: float | None,
    options: EstimatorOptions | Mapping[str, Any] | None,
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None = None,
) -> JobRequest[EstimatorResult]:
    """Return a checked estimator job; see :func:`sampler_job`."""

    def ready() -> dict[str, Any]:
        checked = pub_rules.estimator_pubs(pubs, backend=_name(backend), precision=precision)
        return wire.estimator_params(checked, checked_options(EstimatorOptions, options, platform))

    params = await _made(ready, pubs)
    return _job(wire.ESTIMATOR, backend, params, tags, private, max_time, session_id)


async def _made(ready: Callable[[], dict[str, Any]], pubs: object) -> dict[str, Any]:
    """Return a job's params: made in a thread unless the PUBs are so few and small that the way there takes longer."""
    if isinstance(pubs, list | tuple):
        values = cast(Sequence[object], pubs)
        if len(values) <= _FEW and not any(map(pub_rules.is_large, values)):
            return ready()
    return await asyncio.to_thread(ready)


def checked_options(
    kind: type[P], options: P | Mapping[str, Any] | None, platform: Platform
) -> P | Mapping[str, Any] | None:
    """
    Return checked options.

    On the legacy platform a mapping goes out as it is: that platform takes options that today's refuses
    (``transpilation``), and nobody can say any more what it made of the rest.
    """
    if options is None or isinstance(options, kind):
        return options
    if not isinstance(options, Mapping):
        raise InvalidOption(f"options is a {kind.__name__} or a mapping, not {type(options).__name__}")
    if platform is Platform.LEGACY:
        return options
    if "transpilation" in options:
        raise InvalidOption("the option 'transpilation' is the legacy platform's alone: transpile before submitting")
    return kind.of(options)


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


def program_job(
    program: Program[R],
    params: Mapping[str, Any],
    *,
    backend: str,
    tags: Iterable[str],
    private: bool,
    max_time: int | None,
    session_id: str | None,
) -> JobRequest[R]:
    """Return a job of any program; its params, in which values beyond JSON are encoded, are the service's to judge."""
    if not isinstance(program.id, str) or not program.id:
        raise UsageError(f"a program's id is a text, such as 'executor', not {program.id!r}")
    if not isinstance(params, Mapping):
        raise UsageError(f"params is a mapping, not {type(params).__name__}")
    return _job(program, _name(backend), typed_encoding.encode(params), tags, private, max_time, session_id)


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
