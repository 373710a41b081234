"""
Options of the primitives: frozen values, checked when they are made.

What is not set is not sent, and the service's default, which each class names, applies. Where None is a value of its
own (no limit, or whatever the resilience level says), it is sent as such. The names, ranges and defaults are those of
``POST /jobs`` for the programs ``sampler`` and ``estimator``.
"""

from __future__ import annotations

import enum
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar, cast

import attrs

from qrt_async.errors import InvalidOption
from qrt_async.models.equality import BY_VALUE
from qrt_async.models.typed import LayerError, NoiseLearnerResult, Opaque

P = TypeVar("P", bound="PrimitiveOptions")


class Unset(enum.Enum):
    """The type of `UNSET`, the value of an option that is left to the service."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET
_NOTHING = object()

_EXTRAPOLATORS = {
    "linear": 2,
    "exponential": 2,
    "double_exponential": 4,
    "fallback": 2,
    **{f"polynomial_degree_{k}": k + 1 for k in range(1, 8)},
}
"""The least number of noise factors that each takes."""


def _option(
    check: Callable[[Any], Any], wanted: str, *, none: bool = False, auto: bool = False, **settings: Any
) -> Any:
    """Return a field whose value is what `check` makes of the given one, `_NOTHING` where it is not `wanted`."""
    described = ", or ".join([wanted, *(["'auto'"] if auto else []), *(["None"] if none else [])])

    def convert(value: Any, instance: PrimitiveOptions, field: attrs.Attribute[Any]) -> Any:
        if value is UNSET or (none and value is None) or (auto and isinstance(value, str) and value == "auto"):
            return value
        found = check(value)
        if found is _NOTHING:
            raise InvalidOption(f"{type(instance).__name__}.{field.name} is {described}, not {value!r}")
        return found

    converter = attrs.Converter(cast(Any, convert), takes_self=True, takes_field=True)
    return attrs.field(default=UNSET, converter=converter, **settings)


def _flag(**settings: Any) -> Any:
    return _option(lambda value: value if isinstance(value, bool) else _NOTHING, "True or False", **settings)


def _whole(least: int, most: float = math.inf, **settings: Any) -> Any:
    upper = "" if most == math.inf else f" and at most {most}"
    return _option(_whole_in(least, most), f"a whole number of at least {least}{upper}", **settings)


def _whole_in(least: float, most: float = math.inf) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        fits = isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) <= most
        return int(value) if fits else _NOTHING

    return check


def _number_in(least: float, *, above: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
            return _NOTHING
        number = float(value)
        return number if number > least or (number == least and not above) else _NOTHING

    return check


def _number(least: float, *, above: bool = False, **settings: Any) -> Any:
    wanted = f"a finite number above {least:g}" if above else f"a finite number of at least {least:g}"
    return _option(_number_in(least, above=above), wanted, **settings)


def _word(*words: str, **settings: Any) -> Any:
    return _option(
        lambda value: value if isinstance(value, str) and value in words else _NOTHING,
        f"one of {', '.join(words)}",
        **settings,
    )


def _row(check: Callable[[Any], Any], wanted: str, **settings: Any) -> Any:
    def each(value: Any) -> Any:
        if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
            return _NOTHING
        found = tuple(check(item) for item in value)
        return found if found and _NOTHING not in found else _NOTHING

    return _option(each, f"a list of {wanted}", **settings)


def _part(kind: type[P]) -> Any:
    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            return kind.of(value)
        return value if isinstance(value, kind) else _NOTHING

    return _option(check, f"a {kind.__name__} or a mapping of its options")


def _free(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else _NOTHING


@attrs.frozen(kw_only=True, repr=False)
class PrimitiveOptions:
    """What all options have in common."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """
        Return the options that a mapping names, nested as the API nests them.

        Raises:
            InvalidOption: there is no such option, or its value is outside its range.

        """
        known = [field.name for field in attrs.fields(cls)]
        for name in options:
            if name not in known:
                raise InvalidOption(f"{cls.__name__} has no option {name!r}; it has {', '.join(known)}")
        return cls(**options)

    def chosen(self) -> dict[str, Any]:
        """Return what is set, nested as the API nests it."""
        return dict(self._chosen())

    def _chosen(self) -> Iterable[tuple[str, Any]]:
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, PrimitiveOptions):
                value = value.chosen() or UNSET
            if value is not UNSET:
                yield field.name, value

    def __repr__(self) -> str:
        fields = ((field.name, getattr(self, field.name)) for field in attrs.fields(type(self)))
        inner = ", ".join(f"{name}={value!r}" for name, value in fields if value is not UNSET)
        return f"{type(self).__name__}({inner})"


@attrs.frozen(kw_only=True, repr=False)
class DynamicalDecouplingOptions(PrimitiveOptions):
    """
    Pulses on idle qubits.

    `enable` (False), `sequence_type` (``"XX"``), `extra_slack_distribution` (``"middle"``), `scheduling_method`
    (``"alap"``), `skip_reset_qubits` (False).
    """

    enable: bool | Unset = _flag()
    sequence_type: Literal["XX", "XpXm", "XY4"] | Unset = _word("XX", "XpXm", "XY4")
    extra_slack_distribution: Literal["middle", "edges"] | Unset = _word("middle", "edges")
    scheduling_method: Literal["alap", "asap"] | Unset = _word("alap", "asap")
    skip_reset_qubits: bool | Unset = _flag()


@attrs.frozen(kw_only=True, repr=False)
class TwirlingOptions(PrimitiveOptions):
    """
    Random Pauli frames around gates and measurements.

    `enable_gates` and `enable_measure` are False for the sampler; for the estimator None leaves them to the resilience
    level (gates from 2 on, measurements from 1 on). `num_randomizations` and `shots_per_randomization` (at least 1) are
    ``"auto"``, `strategy` is ``"active-accum"``.
    """

    enable_gates: bool | None | Unset = _flag(none=True)
    enable_measure: bool | None | Unset = _flag(none=True)
    num_randomizations: int | Literal["auto"] | Unset = _whole(1, auto=True)
    shots_per_randomization: int | Literal["auto"] | Unset = _whole(1, auto=True)
    strategy: Literal["active", "active-accum", "active-circuit", "all"] | Unset = _word(
        "active", "active-accum", "active-circuit", "all"
    )


@attrs.frozen(kw_only=True, repr=False)
class ExecutionOptions(PrimitiveOptions):
    """
    How shots are taken.

    `init_qubits` resets the qubits before every shot (True), `rep_delay` is the pause between shots in seconds (at
    least 0; None: the backend's), `meas_type`, of the sampler alone, what a measurement gives (``"classified"``).
    """

    init_qubits: bool | Unset = _flag()
    rep_delay: float | None | Unset = _number(0, none=True)
    meas_type: Literal["classified", "kerneled", "avg_kerneled"] | Unset = _word(
        "classified", "kerneled", "avg_kerneled"
    )


@attrs.frozen(kw_only=True, repr=False)
class MeasureNoiseLearningOptions(PrimitiveOptions):
    """
    Learning the noise of measurements.

    `num_randomizations` (at least 1; 32), `shots_per_randomization` (at least 1; ``"auto"``).
    """

    num_randomizations: int | Unset = _whole(1)
    shots_per_randomization: int | Literal["auto"] | Unset = _whole(1, auto=True)


@attrs.frozen(kw_only=True, repr=False)
class LayerNoiseLearningOptions(PrimitiveOptions):
    """
    Learning the noise of layers of two-qubit gates.

    `max_layers_to_learn` (at least 0; 4; None: all), `shots_per_randomization` (at least 1; 128), `num_randomizations`
    (at least 1; 32), `layer_pair_depths` (each at least 0; 0, 1, 2, 4, 16, 32).
    """

    max_layers_to_learn: int | None | Unset = _whole(0, none=True)
    shots_per_randomization: int | Unset = _whole(1)
    num_randomizations: int | Unset = _whole(1)
    layer_pair_depths: Sequence[int] | Unset = _row(_whole_in(0), "whole numbers of at least 0")


@attrs.frozen(kw_only=True, repr=False)
class PecOptions(PrimitiveOptions):
    """
    Probabilistic error cancellation.

    `max_overhead` (above 0; 100; None: no limit), `noise_gain` (at least 0; ``"auto"``).
    """

    max_overhead: float | None | Unset = _number(0, above=True, none=True)
    noise_gain: float | Literal["auto"] | Unset = _number(0, auto=True)


def _extrapolators(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in _EXTRAPOLATORS else _NOTHING
    if not isinstance(value, Sequence) or not value:
        return _NOTHING
    found = tuple(value)
    return found if all(isinstance(word, str) and word in _EXTRAPOLATORS for word in found) else _NOTHING


@attrs.frozen(kw_only=True, repr=False)
class ZneOptions(PrimitiveOptions):
    """
    Zero-noise extrapolation.

    `amplifier` (``"gate_folding"``), `noise_factors` (each at least 1; 1, 3, 5), `extrapolator`, one or several of
    ``linear``, ``exponential``, ``double_exponential``, ``polynomial_degree_1`` to ``polynomial_degree_7`` and
    ``fallback`` (``exponential``, then ``linear``), `extrapolated_noise_factors` (each at least 0; ``"auto"``: 0 and
    the noise factors). A polynomial of degree k takes k + 1 noise factors, a double exponential 4, the rest 2.
    """

    amplifier: Literal["gate_folding", "gate_folding_front", "gate_folding_back", "pea"] | Unset = _word(
        "gate_folding", "gate_folding_front", "gate_folding_back", "pea"
    )
    noise_factors: Sequence[float] | Unset = _row(_number_in(1), "finite numbers of at least 1")
    extrapolator: str | Sequence[str] | Unset = _option(
        _extrapolators, f"one or several of {', '.join(_EXTRAPOLATORS)}"
    )
    extrapolated_noise_factors: Sequence[float] | Literal["auto"] | Unset = _row(
        _number_in(0), "finite numbers of at least 0", auto=True
    )

    def __attrs_post_init__(self) -> None:
        count = 3 if isinstance(self.noise_factors, Unset) else len(self.noise_factors)
        chosen = ("exponential",) if isinstance(self.extrapolator, Unset) else self.extrapolator
        for word in (chosen,) if isinstance(chosen, str) else chosen:
            if count < _EXTRAPOLATORS[word]:
                raise InvalidOption(
                    f"ZneOptions.noise_factors has {count} numbers, but {word} needs at least {_EXTRAPOLATORS[word]}"
                )


def _layer_noise_model(value: Any) -> Any:
    if isinstance(value, NoiseLearnerResult):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, LayerError) for item in cast(list[Any], value)):
        return tuple(cast(list[LayerError], value))
    return _NOTHING


@attrs.frozen(kw_only=True, repr=False)
class ResilienceOptions(PrimitiveOptions):
    """
    Error mitigation of the estimator.

    `measure_mitigation` and `zne_mitigation` are None, which leaves them to the resilience level (measurements from 1
    on, zero-noise extrapolation at 2); `pec_mitigation` is False and excludes `zne_mitigation`. `layer_noise_model`
    is what the noise learner found, instead of learning it again (None). `measure_noise_learning` needs
    `measure_mitigation`.
    """

    measure_mitigation: bool | None | Unset = _flag(none=True)
    measure_noise_learning: MeasureNoiseLearningOptions | Mapping[str, Any] | Unset = _part(MeasureNoiseLearningOptions)
    zne_mitigation: bool | None | Unset = _flag(none=True)
    zne: ZneOptions | Mapping[str, Any] | Unset = _part(ZneOptions)
    pec_mitigation: bool | Unset = _flag()
    pec: PecOptions | Mapping[str, Any] | Unset = _part(PecOptions)
    layer_noise_learning: LayerNoiseLearningOptions | Mapping[str, Any] | Unset = _part(LayerNoiseLearningOptions)
    layer_noise_model: NoiseLearnerResult | Sequence[LayerError] | None | Unset = _option(
        _layer_noise_model, "a NoiseLearnerResult or a list of LayerErrors", none=True
    )

    def __attrs_post_init__(self) -> None:
        if self.zne_mitigation is True and self.pec_mitigation is True:
            raise InvalidOption("ResilienceOptions.zne_mitigation and pec_mitigation exclude each other")
        if self.measure_mitigation is False and _learns_measurements(self):
            raise InvalidOption("ResilienceOptions.measure_noise_learning needs measure_mitigation, which is False")


def _learns_measurements(resilience: ResilienceOptions) -> bool:
    learning = resilience.measure_noise_learning
    return isinstance(learning, MeasureNoiseLearningOptions) and bool(learning.chosen())


def _noise_model(value: Any) -> Any:
    if isinstance(value, Opaque):
        return value if value.kind == "NoiseModel" else _NOTHING
    found = value.to_dict() if hasattr(value, "to_dict") else value
    return Opaque("NoiseModel", dict(cast(Mapping[str, Any], found))) if isinstance(found, Mapping) else _NOTHING


def _pair(value: Any) -> Any:
    found = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
    whole = _whole_in(0)
    return found if len(found) == 2 and all(whole(item) is not _NOTHING for item in found) else _NOTHING


@attrs.frozen(kw_only=True, repr=False)
class SimulatorOptions(PrimitiveOptions):
    """
    For simulators alone.

    `noise_model` (Aer's, or what its ``to_dict()`` gives; None), `seed_simulator` (at least 0; None), `coupling_map`
    (pairs of qubits; None: all to all), `basis_gates` (names; None: all).
    """

    noise_model: Any = _option(_noise_model, "a noise model of Aer's, or its to_dict()", none=True, eq=BY_VALUE)
    seed_simulator: int | None | Unset = _whole(0, none=True)
    coupling_map: Iterable[Sequence[int]] | None | Unset = _row(_pair, "pairs of qubits", none=True)
    basis_gates: Sequence[str] | None | Unset = _row(
        lambda item: item if isinstance(item, str) else _NOTHING, "names of gates", none=True
    )


@attrs.frozen(kw_only=True, repr=False)
class SamplerOptions(PrimitiveOptions):
    """
    Options of a sampler job.

    `default_shots` (at least 1; 4096) is for PUBs without shots of their own in a job without `shots`. The parts may be
    given as mappings: ``SamplerOptions(twirling={"enable_gates": True})``. `experimental` is a free mapping.
    """

    default_shots: int | Unset = _whole(1)
    dynamical_decoupling: DynamicalDecouplingOptions | Mapping[str, Any] | Unset = _part(DynamicalDecouplingOptions)
    execution: ExecutionOptions | Mapping[str, Any] | Unset = _part(ExecutionOptions)
    twirling: TwirlingOptions | Mapping[str, Any] | Unset = _part(TwirlingOptions)
    simulator: SimulatorOptions | Mapping[str, Any] | Unset = _part(SimulatorOptions)
    experimental: Mapping[str, Any] | Unset = _option(_free, "a mapping", eq=BY_VALUE)

    def __attrs_post_init__(self) -> None:
        twirling = self.twirling
        if isinstance(twirling, TwirlingOptions) and None in {twirling.enable_gates, twirling.enable_measure}:
            raise InvalidOption(
                "TwirlingOptions.enable_gates and enable_measure of a sampler are True or False, not None"
            )


@attrs.frozen(kw_only=True, repr=False)
class EstimatorOptions(PrimitiveOptions):
    """
    Options of an estimator job.

    `resilience_level` is 0, 1 or 2 (1). `default_precision` (above 0; 0.015625) is for PUBs without a precision of
    their own in a job without `precision`; `default_shots` (at least 1; None) overrides it. `seed_estimator` is at
    least 0 (None). The parts may be given as mappings; `experimental` is a free mapping.
    """

    resilience_level: Literal[0, 1, 2] | Unset = _whole(0, 2)
    default_precision: float | Unset = _number(0, above=True)
    default_shots: int | None | Unset = _whole(1, none=True)
    seed_estimator: int | None | Unset = _whole(0, none=True)
    dynamical_decoupling: DynamicalDecouplingOptions | Mapping[str, Any] | Unset = _part(DynamicalDecouplingOptions)
    resilience: ResilienceOptions | Mapping[str, Any] | Unset = _part(ResilienceOptions)
    execution: ExecutionOptions | Mapping[str, Any] | Unset = _part(ExecutionOptions)
    twirling: TwirlingOptions | Mapping[str, Any] | Unset = _part(TwirlingOptions)
    simulator: SimulatorOptions | Mapping[str, Any] | Unset = _part(SimulatorOptions)
    experimental: Mapping[str, Any] | Unset = _option(_free, "a mapping", eq=BY_VALUE)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.execution, ExecutionOptions) and self.execution.meas_type is not UNSET:
            raise InvalidOption("ExecutionOptions.meas_type is an option of the sampler, not of the estimator")
        resilience = self.resilience
        if not isinstance(resilience, ResilienceOptions) or not _learns_measurements(resilience):
            return
        if self.resilience_level == 0 and resilience.measure_mitigation is not True:
            raise InvalidOption(
                "ResilienceOptions.measure_noise_learning needs measure_mitigation, which is off at resilience_level 0"
            )
