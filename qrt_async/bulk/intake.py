"""PUBs as they are given → checked items with their weight and the backends that they may go to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, cast

import attrs

from qrt_async import pubs as pub_rules
from qrt_async.bulk.packing import Ceilings, Weight, broken_limit
from qrt_async.bulk.settings import PackingOptions
from qrt_async.bulk.weighing import Scales, needs_types
from qrt_async.errors import InvalidPub, PubTooLarge
from qrt_async.models.pubs import EstimatorPub, IsaCircuit, SamplerPub
from qrt_async.models.typed import Npy, Qpy

_REGISTER = re.compile(r"\b(?:qubit\s*(?:\[\s*(\d+)\s*\])?\s*[A-Za-z_]\w*|qreg\s+[A-Za-z_]\w*\s*\[\s*(\d+)\s*\])\s*;")


@attrs.frozen
class Item:
    """
    PUB `index`, checked.

    `home` is the backend that it is bound to, None where it is still to be transpiled; `qubits` is then how many its
    circuit has, None where that is not told. `origin` is the item as it was given, where this one was made from it.
    """

    index: int
    pub: SamplerPub | EstimatorPub = attrs.field(repr=False)
    home: str | None
    weight: Weight
    typed: bool = False
    qubits: int | None = None
    origin: Item | None = attrs.field(default=None, repr=False)

    def digest(self) -> str:
        """Return what the PUB, as it was given, is known by: equal PUBs have equal digests in every process."""
        pub = (self.origin or self).pub
        others = [pub.shots] if isinstance(pub, SamplerPub) else [pub.observables, pub.precision]
        text = json.dumps([_spelled(pub.circuit), _spelled(pub.parameters), *others], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _spelled(value: Any) -> Any:
    if isinstance(value, IsaCircuit):
        return value.text
    if isinstance(value, Npy | Qpy):
        return hashlib.sha256(value.data).hexdigest()
    if pub_rules.is_quantum_circuit(value):
        from qrt_async import qiskit_bridge

        return qiskit_bridge.spelled(value)
    return value


@attrs.define
class Intake:
    """Checks and weighs PUBs for a list of backends."""

    options: PackingOptions
    backends: Sequence[str]
    _scales: Scales = attrs.field(init=False)
    _ceilings: dict[bool, Ceilings] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._scales = Scales.of(self.options.options)
        self._ceilings = {typed: self.options.ceilings(typed=typed) for typed in (False, True)}

    def ceilings(self, *, typed: bool) -> Ceilings:
        """Return what one job may hold."""
        return self._ceilings[typed]

    def item(self, value: object, index: int) -> Item:
        """
        Return PUB `index`, checked and weighed.

        Raises:
            InvalidPub: no service would accept it, or it is bound to a backend that is not among those of the run.
            PubTooLarge: it breaks a limit of a job alone.

        """
        home = self._home(pub_rules.circuit_of(value), index)
        return self._weighed(self._checked(value, index, home), index, home)

    def sent_as_is(self, value: object, index: int) -> Item:
        """Return PUB `index`, whose circuit, even one of Qiskit's, goes out as it is (errors as for :meth:`item`)."""
        home = self.backends[0]
        return self._weighed(self._checked(value, index, home), index, home)

    def bound(self, item: Item, circuit: IsaCircuit) -> Item:
        """Return an item whose circuit was transpiled, with what it takes now (errors as for :meth:`item`)."""
        pub = self._checked(attrs.evolve(item.pub, circuit=circuit), item.index, circuit.backend)
        return attrs.evolve(
            self._weighed(pub, item.index, circuit.backend), origin=item.origin or item, qubits=item.qubits
        )

    def _checked(self, value: object, index: int, home: str | None) -> SamplerPub | EstimatorPub:
        if self.options.primitive == "sampler":
            return pub_rules.sampler_pub(value, index, backend=home, shots=self.options.shots)
        return pub_rules.estimator_pub(value, index, backend=home, precision=self.options.precision)

    def _weighed(self, pub: SamplerPub | EstimatorPub, index: int, home: str | None) -> Item:
        weight = self._scales.weigh(pub, bound=home is not None)
        typed = needs_types(pub)
        broken = broken_limit(weight, self._ceilings[typed])
        if broken is not None:
            raise PubTooLarge(index, broken)
        return Item(index, pub, home, weight, typed, _qubits(pub.circuit) if home is None else None)

    def _home(self, circuit: object, index: int) -> str | None:
        """Return the backend that a circuit is bound to, None where it is to be transpiled."""
        if pub_rules.is_quantum_circuit(circuit) or (isinstance(circuit, str) and self.options.transpile is not None):
            return None
        if isinstance(circuit, IsaCircuit):
            if circuit.backend not in self.backends:
                raise InvalidPub(
                    f"PUB {index}: the circuit was transpiled for {circuit.backend}, which is not among the backends "
                    f"{', '.join(self.backends)}: add it, or transpile the circuit again"
                )
            return circuit.backend
        if len(self.backends) > 1 and isinstance(circuit, str | Qpy):
            raise InvalidPub(
                f"PUB {index}: a program that is sent as it is fits one backend: transpile it with transpile=1, give "
                "an IsaCircuit, or name a single backend"
            )
        return self.backends[0]


def _qubits(circuit: object) -> int | None:
    if isinstance(circuit, str):
        found = [int(first or second or 1) for first, second in _REGISTER.findall(circuit)]
        return sum(found) or None
    return int(cast(Any, circuit).num_qubits)
