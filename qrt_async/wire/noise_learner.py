"""What the noise learner found: the classes in which it is sent → models."""

from __future__ import annotations

from typing import Any, cast

from qrt_async.models.typed import LayerError, NoiseLearnerResult, Opaque, PauliLindbladError, PauliLindbladMap, Qpy

MODULES = frozenset(["qiskit_ibm_runtime.utils.noise_learner_result", "qiskit_ibm_runtime.results.noise_learner"])
"""Where the official client has these classes, now and before; the names are compared, and never imported."""


def layer_error(value: Any) -> LayerError:
    """Return a layer and its noise (TypeError, KeyError or ValueError where the value is something else)."""
    circuit, error = value["circuit"], value.get("error")
    if not isinstance(circuit, Qpy) or not (error is None or isinstance(error, PauliLindbladError)):
        raise TypeError("circuit or error")
    return LayerError(circuit, positions(value["qubits"]), error)


def _labels(generators: Any) -> Any:
    is_list = isinstance(generators, Opaque) and generators.name == "PauliList"
    return cast(Any, generators).value["data"] if is_list else generators


def pauli_lindblad_error(value: Any) -> PauliLindbladError:
    """Return the noise of a layer (TypeError, KeyError or ValueError where the value is something else)."""
    import numpy as np

    generators = _labels(value["generators"])
    rates = np.asarray(value["rates"])
    if rates.dtype.kind not in "iuf":
        raise TypeError("rates")
    if not all(isinstance(text, str) for text in generators) or rates.shape != (len(generators),):
        raise ValueError("generators and rates")
    return PauliLindbladError(tuple(generators), rates.astype(np.float64))


def noise_learner_result(value: Any) -> NoiseLearnerResult:
    """Return the layers of a result (TypeError, KeyError or ValueError where the value is something else)."""
    layers, metadata = value["data"], value.get("metadata")
    if not isinstance(layers, list) or not all(isinstance(layer, LayerError) for layer in layers):
        raise TypeError("data")
    return NoiseLearnerResult(tuple(cast(list[LayerError], layers)), metadata if isinstance(metadata, dict) else {})


def pauli_lindblad_map(value: Any) -> PauliLindbladMap:
    """Return a noise channel (TypeError, KeyError or ValueError where the value is something else)."""
    terms: list[tuple[str, tuple[int, ...], float]] = []
    for letters, qubits, rate in value["paulis"]:
        if not isinstance(letters, str) or len(letters) != len(qubits):
            raise ValueError("paulis")
        terms.append((letters, positions(qubits), number(rate)))
    (width,) = positions([value["num_qubits"]])
    return PauliLindbladMap(tuple(terms), width)


def positions(value: Any) -> tuple[int, ...]:
    """Return whole numbers of at least 0 (TypeError or ValueError for anything else)."""
    found: tuple[Any, ...] = tuple(value)
    if not all(type(n) is int and n >= 0 for n in found):
        raise ValueError(value)
    return found


def number(value: Any) -> float:
    """Return a number (TypeError for anything else)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)
