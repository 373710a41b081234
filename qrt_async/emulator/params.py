"""What the params of each program look like, `pubs` and `options` above all.

Types and bounds are those of the service's OpenAPI document. A closed check refuses keys that the document does not
have, an open one lets them pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qrt_async.emulator.shapes import (
    Mismatch,
    anything,
    array,
    either,
    flag,
    integer,
    is_list,
    is_object,
    mapping,
    nullable,
    number,
    one_of,
    places,
    record,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qrt_async.emulator.shapes import Check

_randomizations = either('"auto" or a whole number from 1', one_of("auto"), integer(1))
_circuit = either("a program as text, or a typed value", text(1), mapping)
_bindings = nullable(either("null, an object or a list", mapping, array(anything)))
_shots = nullable(integer(1))
_observables = either("text, an object or a list", text(1), mapping, array(anything, 1))
_precision = nullable(number(above=0))

_bare_sampler_pub = either("a program or a list", text(1), mapping)
_listed_sampler_pub = places(_circuit, _bindings, _shots, least=1)
_estimator_pub = places(_circuit, _observables, _bindings, _precision, least=2)

_EXTRAPOLATORS = (
    "linear",
    "exponential",
    "double_exponential",
    *(f"polynomial_degree_{degree}" for degree in range(1, 8)),
    "fallback",
)


def _sampler_pub(value: Any, path: str) -> None:
    (_listed_sampler_pub if isinstance(value, list) else _bare_sampler_pub)(value, path)


def params_of(program: str, *, closed: bool) -> Check:
    """Give the check of a program's params; a program that has none of its own takes any object."""
    if program == "executor":
        return _executor
    if program not in ("sampler", "estimator"):
        return mapping
    return _primitive(program, closed=closed)


def refuse_chunks(params: Any, *, in_session: bool) -> None:
    """Raise Mismatch for the chunk sizes of executor items that are partly "auto", or numbers outside a session."""
    sizes = [size for size in _chunk_sizes(params) if size is not None]
    numbers = [size for size in sizes if size != "auto"]
    if numbers and len(numbers) < len(sizes):
        raise Mismatch('params.quantum_program.items must have a chunk_size of "auto" all, or a number all')
    if numbers and not in_session:
        raise Mismatch("params.quantum_program.items must not have numbers as chunk_size outside a session")


def _chunk_sizes(params: Any) -> Iterable[Any]:
    program = params.get("quantum_program") if is_object(params) else None
    items = program.get("items") if is_object(program) else None
    return [each.get("chunk_size", "auto") for each in items if is_object(each)] if is_list(items) else []


def _primitive(program: str, *, closed: bool) -> Check:
    shared: dict[str, Check] = {
        "version": one_of(2, "2"),
        "support_qiskit": flag,
        "options": nullable(_options(program, closed=closed)),
    }
    own: dict[str, Check]
    if program == "sampler":
        own = {"pubs": array(_sampler_pub, 1), "shots": nullable(integer(0))}
    else:
        own = {
            "pubs": array(_estimator_pub, 1),
            "precision": _precision,
            "resilience_level": integer(0, 2),
        }
    return record(shared | own, required=("pubs",), closed=closed)


def _options(program: str, *, closed: bool) -> Check:
    sampler = program == "sampler"
    execution: dict[str, Check] = {
        "init_qubits": flag,
        "rep_delay": nullable(number(least=0)),
    }
    if sampler:
        execution["meas_type"] = one_of("classified", "kerneled", "avg_kerneled")
    own: dict[str, Check]
    if sampler:
        own = {"default_shots": nullable(integer(0))}
    else:
        own = {
            "default_shots": nullable(integer(0)),
            "default_precision": _precision,
            "seed_estimator": nullable(integer(0)),
            "resilience": _resilience(closed=closed),
        }
    shared: dict[str, Check] = {
        "dynamical_decoupling": _dynamical_decoupling(closed=closed),
        "execution": record(execution, closed=closed),
        "twirling": _twirling(closed=closed),
        "simulator": record(
            {
                "noise_model": anything,
                "seed_simulator": nullable(integer(0)),
                "coupling_map": nullable(array(anything)),
                "basis_gates": nullable(array(text())),
            },
            closed=closed,
        ),
        "experimental": nullable(mapping),
    }
    return record(shared | own, closed=closed)


def _dynamical_decoupling(*, closed: bool) -> Check:
    return record(
        {
            "enable": flag,
            "sequence_type": one_of("XX", "XpXm", "XY4"),
            "extra_slack_distribution": one_of("middle", "edges"),
            "scheduling_method": one_of("alap", "asap"),
            "skip_reset_qubits": flag,
        },
        closed=closed,
    )


def _twirling(*, closed: bool) -> Check:
    return record(
        {
            "enable_gates": nullable(flag),
            "enable_measure": nullable(flag),
            "num_randomizations": _randomizations,
            "shots_per_randomization": _randomizations,
            "strategy": one_of("active", "active-circuit", "active-accum", "all"),
        },
        closed=closed,
    )


def _resilience(*, closed: bool) -> Check:
    extrapolator = one_of(*_EXTRAPOLATORS)
    return record(
        {
            "measure_mitigation": nullable(flag),
            "measure_noise_learning": record(
                {"num_randomizations": integer(1), "shots_per_randomization": _randomizations}, closed=closed
            ),
            "zne_mitigation": nullable(flag),
            "zne": record(
                {
                    "amplifier": one_of("gate_folding", "gate_folding_front", "gate_folding_back", "pea"),
                    "noise_factors": nullable(array(number(least=1), 1)),
                    "extrapolator": either("an extrapolator or a list", extrapolator, array(extrapolator, 1)),
                    "extrapolated_noise_factors": either(
                        '"auto" or a list of numbers from 0', one_of("auto"), array(number(least=0))
                    ),
                },
                closed=closed,
            ),
            "pec_mitigation": nullable(flag),
            "pec": record(
                {
                    "max_overhead": nullable(number(above=0)),
                    "noise_gain": either('"auto" or a number from 0', one_of("auto"), number(least=0)),
                },
                closed=closed,
            ),
            "layer_noise_learning": record(
                {
                    "max_layers_to_learn": nullable(integer(0)),
                    "shots_per_randomization": integer(1),
                    "num_randomizations": integer(1),
                    "layer_pair_depths": array(integer(0)),
                },
                closed=closed,
            ),
            "layer_noise_model": anything,
        },
        closed=closed,
    )


_executor = record(
    {
        "schema_version": text(1, 16),
        "quantum_program": record(
            {
                "shots": integer(1),
                "items": array(
                    record(
                        {
                            "item_type": one_of("circuit", "samplex"),
                            "circuit": mapping,
                            "chunk_size": either('"auto" or a whole number from 1', one_of("auto"), integer(1)),
                        }  # since v1.0 the circuits stand in one stream beside the items
                    )
                ),
                "meas_level": one_of("classified", "kerneled", "avg_kerneled", "both"),
            },
            required=("shots", "items"),
        ),
        "options": mapping,
    },
    required=("quantum_program", "options"),
)
