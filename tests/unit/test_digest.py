"""Digests of what would be sent."""

from __future__ import annotations

import binascii
import hashlib
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest

from qrt_async import EstimatorPub, IsaCircuit, Qpy, SamplerPub, UsageError
from qrt_async.models.typed import Npy
from qrt_async.wire.arrays import npy_of
from qrt_async.wire.digest import params_digest, pub_digest

BELL = "OPENQASM 3.0; include 'stdgates.inc'; bit[2] c; h $0; cx $0, $1; c = measure $0;"


def test_a_digest_is_that_of_the_params_alone() -> None:
    """The digest of a PUB never changes, for journals hold it: the SHA-256 of its params in compact, sorted JSON."""
    sent = f'{{"pubs":[["{BELL}",[[0.1,2.0],[1e-09,-3.5]],500]],"version":2}}'

    assert pub_digest(SamplerPub(BELL, [[0.1, 2.0], [1e-9, -3.5]], 500)) == hashlib.sha256(sent.encode()).hexdigest()


def test_another_process_gives_the_same() -> None:
    """A digest depends on no process's hash seed."""
    script = (
        "from qrt_async.models.pubs import EstimatorPub; from qrt_async.wire.digest import pub_digest;"
        f"print(pub_digest(EstimatorPub({BELL!r}, {{'ZZ': 1.0, 'XX': 0.5}}, [0.1], 0.01)))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    expected = pub_digest(EstimatorPub(BELL, {"XX": 0.5, "ZZ": 1.0}, [0.1], 0.01))
    assert printed == {f"{expected}\n".encode()}


def test_what_differs_in_what_is_sent_differs() -> None:
    """Circuit, values, shots, precision and observables all count."""
    pubs: list[SamplerPub | EstimatorPub] = [
        SamplerPub(BELL),
        SamplerPub(BELL + " "),
        SamplerPub(BELL, None, 100),
        SamplerPub(BELL, [0.1], 100),
        SamplerPub(BELL, [0.10000000000000002], 100),
        SamplerPub(BELL, Npy(npy_of(np.array([0.1]))), 100),
        SamplerPub(BELL, Npy(npy_of(np.array([0.2]))), 100),
        EstimatorPub(BELL, "ZZ"),
        EstimatorPub(BELL, {"ZZ": 2.0}),
        EstimatorPub(BELL, "ZZ", None, 0.01),
        SamplerPub(Qpy(b"one")),
        SamplerPub(Qpy(b"two")),
    ]

    assert len({pub_digest(pub) for pub in pubs}) == len(pubs)


def test_an_isa_circuit_counts_by_its_text() -> None:
    """What is not sent does not count: the same text for another backend is the same PUB."""
    one, other = (IsaCircuit(BELL, backend, (0, 1), 2) for backend in ("ibm_x", "ibm_y"))

    assert pub_digest(SamplerPub(one)) == pub_digest(SamplerPub(other)) == pub_digest(SamplerPub(BELL))


def test_the_compressor_does_not_count() -> None:
    """The same content, compressed in another way, has the same digest."""

    def params(level: int, content: bytes) -> dict[str, Any]:
        text = binascii.b2a_base64(zlib.compress(content, level), newline=False).decode()
        return {"pubs": [[{"__type__": "QuantumCircuit", "__value__": text}]], "version": 2}

    assert params(1, b"q" * 1000) != params(9, b"q" * 1000)
    assert params_digest(params(1, b"q" * 1000)) == params_digest(params(9, b"q" * 1000))
    assert params_digest(params(1, b"q" * 1000)) != params_digest(params(1, b"q" * 1001))


def test_the_order_of_keys_does_not_count() -> None:
    """Two ways to write the same options have the same digest."""
    assert params_digest({"a": 1, "b": [2, 3]}) == params_digest({"b": (2, 3), "a": 1})
    assert params_digest({"a": [2, 3]}) != params_digest({"a": [3, 2]})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_cannot_be_sent_has_no_digest(value: Any) -> None:
    """Values that JSON cannot hold are refused."""
    with pytest.raises(UsageError):
        params_digest({"value": value})
