"""Values beyond JSON that the service sends and takes: Qiskit's own objects, as far as they can be told without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import attrs

from qrt_async.models.equality import BY_VALUE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qiskit.circuit import QuantumCircuit


@attrs.frozen
class Qpy:
    """
    Something that only Qiskit can read, in its QPY format.

    `kind` is what it is: ``QuantumCircuit``, ``Instruction`` (as a circuit of this one instruction), or ``Parameter``.
    A circuit may be sent as it is: as the circuit of a PUB it needs no Qiskit.
    """

    data: bytes = attrs.field(repr=False)
    kind: str = "QuantumCircuit"

    @classmethod
    def from_qiskit(cls, circuit: QuantumCircuit) -> Qpy:
        """Return a circuit of Qiskit's as it travels (:class:`MissingExtra` where Qiskit is not installed)."""
        from qrt_async import qiskit_bridge

        return qiskit_bridge.to_qpy(circuit)

    def to_qiskit(self) -> Any:
        """
        Return Qiskit's object.

        Raises:
            MissingExtra: Qiskit is not installed.
            ProtocolError: the payload is not what it is said to be, or newer than the installed Qiskit.

        """
        from qrt_async import qiskit_bridge

        return qiskit_bridge.from_qpy(self)


@attrs.frozen
class Npy:
    """An array of numbers in NumPy's file format, as it is sent."""

    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Opaque:
    """
    A value whose class this package does not know, kept as it came.

    `kind` is the wire's name for it (``settings``, ``_json``, ``NoiseModel``, ``Result``, ``to_json``, ``spmatrix``),
    `module` and `name` the class that the sender had, where it said so; nothing is imported by these names.
    """

    kind: str
    value: Any = attrs.field(eq=BY_VALUE)
    module: str | None = None
    name: str | None = None


@attrs.frozen
class Bindings:
    """Parameter values by name: `data` has one array of shape ``(*shape, len(names))`` per tuple of names."""

    shape: tuple[int, ...]
    data: Mapping[tuple[Any, ...], NDArray[Any]] = attrs.field(eq=BY_VALUE)


@attrs.frozen
class PauliLindbladMap:
    """A noise channel: each term is Pauli letters, the qubits they are on, and a rate."""

    terms: tuple[tuple[str, tuple[int, ...], float], ...]
    num_qubits: int


@attrs.frozen
class PauliLindbladError:
    """The noise of a layer: `generators` are Pauli texts, `rates` (same length) their rates."""

    generators: tuple[str, ...]
    rates: NDArray[np.float64] = attrs.field(eq=BY_VALUE)


@attrs.frozen
class LayerError:
    """One layer of two-qubit gates, the qubits it is on, and its noise (None: unknown or not learnt)."""

    circuit: Qpy
    qubits: tuple[int, ...]
    error: PauliLindbladError | None = None


@attrs.frozen
class NoiseLearnerResult(Sequence[LayerError]):
    """What the noise learner found, one entry per layer."""

    layers: tuple[LayerError, ...]
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=BY_VALUE)

    @overload
    def __getitem__(self, index: int) -> LayerError: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LayerError, ...]: ...
    def __getitem__(self, index: int | slice) -> LayerError | tuple[LayerError, ...]:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)


@attrs.frozen
class ExecutorItem:
    """The result of one item of a quantum program: arrays by name, and what the service says of the item."""

    results: Mapping[str, NDArray[Any]] = attrs.field(eq=BY_VALUE)
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=BY_VALUE)


@attrs.frozen
class ExecutorResult(Sequence[ExecutorItem]):
    """
    The result of an ``executor`` job, one item per item of its quantum program.

    `passthrough` is what the program asked to be handed through.
    """

    items: tuple[ExecutorItem, ...]
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any], eq=BY_VALUE)
    schema_version: str | None = None
    passthrough: Any = attrs.field(default=None, eq=BY_VALUE)
    semantic_role: str | None = None

    @overload
    def __getitem__(self, index: int) -> ExecutorItem: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ExecutorItem, ...]: ...
    def __getitem__(self, index: int | slice) -> ExecutorItem | tuple[ExecutorItem, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)
