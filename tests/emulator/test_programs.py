"""OpenQASM texts: what loads, as what, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import qasm3

from qrt_async.emulator.execution.refusal import Refusal
from qrt_async.emulator.execution.straight_line import read
from qrt_async.emulator.programs import load_circuit, load_program

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '

COMMON = [
    "bit[2] c; x $0; c[0] = measure $0; c[1] = measure $1;",
    "qreg q[2]; creg c[2]; u3(1, 2, 3) q[0]; measure q -> c; measure q[0] -> c[1];",
    "qubit[3] q; delay[160dt] q[0]; delay[1.5us] q; barrier q; reset q; reset q[1]; cx q[0], q[2];",
    "input float[64] alpha; input float beta; rz(2*alpha + beta) $0; rz(-alpha/2) $0; rz(3*(alpha+1)-2/beta) $0;",
    "qubit[2] a; qubit[1] b; cx a[1], b[0]; sdg b; bit[2] c; c = measure a;",
    "bit c; x $0; c = measure $0;",
    "x $0; /* a comment; */ // another; one\n x $7;",
    "rz(0x10) $0; rz(1_000.5) $0; rz(.5) $0; rz(5.) $0; rz(π) $0; rz(-3*pi/4) $0; rz(1e-3) $0; rz(tau) $0;",
    "phase(.1) $0; CX $0,$1; cphase(.2) $0,$1; u1(1) $0; u2(1,2) $0; U(1,2,3) $0; ccx $0,$1,$2; swap $0,$1;",
    "bit[2] c; bit[3] d; c[0] = measure $5; d[2] = measure $4;",
]

RARE = [
    "rx(1/2) $0;",  # integers divide like integers
    "qubit[3] q; cx q[0:1], q[2]; barrier;",
    "gate foo(t) a { rz(t) a; } foo(.2) $1;",
    "ctrl @ x $1, $2;",
    "bit[2] c; c = measure $0;",
    "bit[1] c; if (c[0]) { x $0; } else { x $1; }",
    "qubit q; rz(euler) q;",
    "id $0;",
    "gphase(.2); x $0;",
]


@pytest.mark.parametrize("body", COMMON)
def test_quick_reader_agrees(body: str) -> None:
    """The quick reader makes the very circuit that Qiskit's importer makes of a common program."""
    expected, found = qasm3.loads(HEADER + body), read(HEADER + body)
    assert found is not None
    values = {"alpha": 0.3, "beta": 0.7}
    named = {name: value for name, value in values.items() if name in {each.name for each in found.parameters}}

    assert expected.assign_parameters(named) == found.assign_parameters(named)


@pytest.mark.parametrize("body", RARE)
def test_quick_reader_declines(body: str) -> None:
    """The quick reader leaves what is rare to Qiskit's importer."""
    assert read(HEADER + body) is None
    assert qasm3.loads(HEADER + body) == load_circuit(HEADER + body)


_ANGLES = st.one_of(
    st.floats(-10, 10).map(repr),
    st.tuples(st.integers(-9, 9), st.integers(1, 16)).map(lambda pair: f"{pair[0]}*pi/{pair[1]}"),
)
_STATEMENTS = st.one_of(
    st.builds("{} ${};".format, st.sampled_from(["x", "sx", "h", "sdg", "reset"]), st.integers(0, 5)),
    st.builds("{}({}) ${};".format, st.sampled_from(["rz", "rx", "p", "U(1,2,3) $1;rz"]), _ANGLES, st.integers(0, 5)),
    st.builds("{} ${}, ${};".format, st.sampled_from(["cz", "cx"]), st.integers(0, 2), st.integers(3, 5)),
    st.builds("c[{}] = measure ${};".format, st.integers(0, 5), st.integers(0, 5)),
    st.builds("measure ${} -> d[{}];".format, st.integers(0, 5), st.integers(0, 1)),
    st.builds("barrier ${}, ${};".format, st.integers(0, 2), st.integers(3, 5)),
    st.builds("delay[{}dt] ${};".format, st.integers(0, 5000), st.integers(0, 5)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_STATEMENTS, max_size=12), st.sampled_from([" ", "\n", ""]))
def test_quick_reader_agrees_on_anything(statements: list[str], between: str) -> None:
    """Whatever the quick reader accepts, Qiskit's importer reads as the same circuit."""
    text = HEADER + "bit[6] c; creg d[2]; " + between.join(statements)

    assert qasm3.loads(text) == read(text)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        (HEADER + "x $25;", 26),
        (HEADER + "qubit[5] q; x q[0];", 5),
        (HEADER + "qreg q[4];", 4),
        (HEADER + "qubit[2] a; qubit[3] b; x b[0];", 5),
        ('OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; x q[0];', 3),
    ],
)
def test_width(text: str, width: int) -> None:
    """A program is as wide as its declared qubits, or its highest physical qubit plus one."""
    assert width == load_program(text).circuit.num_qubits


def test_registers_in_order() -> None:
    """Classical registers stand in the order of their declaration, single bits among them."""
    program = load_program(
        HEADER + "bit[2] late; bit flag; creg a[3]; x $0; late[0] = measure $0; if (late[0]) { x $1; }"
    )

    assert [(register.name, register.clbits) for register in program.registers] == [
        ("late", (0, 1)),
        ("flag", (2,)),
        ("a", (3, 4, 5)),
    ]


@pytest.mark.parametrize("condition", ["c[0] == 1", "c[0] == true", "c[0]", "flag == 0", "c == 2"])
def test_conditions(condition: str) -> None:
    """Conditions on bits and registers load in all their usual spellings."""
    body = f"bit[2] c; bit flag; c[0] = measure $0; if ({condition}) {{ x $1; }} else {{ sx $1; }}"

    assert "if_else" in load_program(HEADER + body).circuit.count_ops()


def test_native_gates_need_their_definition() -> None:
    """A device's gate outside stdgates.inc is known once the program defines it, and not before."""
    definition = "gate ecr a, b { s a; sx b; cx a, b; x a; } "

    assert load_program(HEADER + definition + "ecr $3, $2;").circuit.count_ops() == {"ecr": 1}
    with pytest.raises(Refusal, match="ecr"):
        load_program(HEADER + "ecr $3, $2;")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// nothing",
        "nonsense",
        "x $0;",
        HEADER + "x q[0];",
        HEADER + "rzz(.2) $0, $1;",
        HEADER + "xslow $0;",
        HEADER + "x $0",
        HEADER + "qubit[2] q; x q[2];",
        HEADER + "qubit[2] q; x $1;",
        HEADER + "qubit[2] q; cx q[0], q[0];",
        HEADER + "rx(1, 2) $0;",
        HEADER + "bit[1] c; bit[1] c;",
        HEADER + "x $99999999999;",
        HEADER + "qubit[2000000000] q;",
        HEADER + "measure $0;",
        "UEFiAAAAAAAA",
        'OPENQASM 2.0; include "/etc/passwd"; qreg q[1];',
        "OPENQASM 2.0; qreg q[1]; x q[0];",
        '#pragma foo\nOPENQASM 3.0; include "nowhere.inc";',
    ],
)
def test_bad_programs(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A bad text is refused with code 1603 and a reason that is not empty, and nothing is printed."""
    with pytest.raises(Refusal) as caught:
        load_program(text)

    assert caught.value.failed.code == 1603
    assert caught.value.failed.reason.removeprefix("The QASM program could not be loaded: ").strip()
    assert capfd.readouterr() == ("", "")


def test_qpy_is_refused() -> None:
    """A program in QPY is refused with a reason that says so."""
    with pytest.raises(Refusal, match="QPY"):
        load_program({"__type__": "QuantumCircuit", "__value__": "eJw="})
