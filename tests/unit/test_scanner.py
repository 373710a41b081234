"""Bodies of results in pieces → the same results and the same errors as whole ones, in less memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qrt_async.errors import ProtocolError
from qrt_async.models.equality import same
from qrt_async.models.results import SamplerData
from qrt_async.wire import results
from qrt_async.wire.call import ReplyHead
from qrt_async.wire.results import BodyReader, ResultSink
from qrt_async.wire.scanner import Scanner

READERS = [results.sampler, results.estimator, results.primitive, results.any_program]


def pieces(body: bytes, lengths: list[int]) -> Iterator[bytes]:
    """Cut a body into pieces of these lengths, over and over."""
    at = 0
    while at < len(body):
        for length in lengths:
            yield body[at : at + length]
            at += length


def in_pieces(reader: BodyReader[Any], body: bytes, lengths: list[int], step: int) -> Any:
    """Return what a reader makes of a body that arrives in such pieces, scanned after every `step` bytes."""
    sink = ResultSink(ReplyHead(200), reader._read, Scanner(step))
    for piece in pieces(body, lengths):
        sink.feed(piece)
    return sink.finish()


def outcome(read: Callable[[], Any]) -> Any:
    """Return what reading gives: a value, or the text of our own error."""
    try:
        return read()
    except ProtocolError as error:
        return ("ProtocolError", str(error))


def assert_same(body: bytes, lengths: list[int], step: int) -> None:
    """Assert that every reader makes the same of a body whole and in pieces."""
    for reader in READERS:
        whole = outcome(lambda reader=reader: reader(body))  # type: ignore[misc]
        parts = outcome(lambda reader=reader: in_pieces(reader, body, lengths, step))  # type: ignore[misc]
        assert same(whole, parts), (body, whole, parts)
        assert type(whole) is type(parts)


TRAPS = st.sampled_from(
    [
        '"samples":["0x1"]',
        '\\"samples\\":["0x1"]',
        'x"samples":["0x1","0x2"',
        "]",
        '"]',
        "samples",
        "0x1",
        "\\",
        "\u2028é😀",
        "0.0E0",
        "",
    ]
)
HEXES = st.one_of(
    st.integers(0, 31).map(hex),
    st.integers(0, 2**200).map(hex),
    st.sampled_from([0, 1, 15, 16, 255, 256, 2**127 - 1]).map(hex),
)
ODD_HEXES = st.sampled_from(
    ["0X1F", "0x1F", "0xAB", "0x0a", "0x00", "1f", "0b1", "0o7", "-0x0", "0x_1", " 0x1 ", "0x", "", "0xg", "0x`", "é"]
)
OTHERS = st.one_of(st.none(), st.integers(-3, 3), st.just([]), st.just({}), TRAPS, st.just(float("nan")))
SHOTS = st.one_of(
    st.lists(HEXES, max_size=30),
    st.lists(st.one_of(HEXES, HEXES, HEXES, ODD_HEXES, OTHERS), max_size=12),
)


@st.composite
def sweeps(draw: st.DrawFn) -> Any:
    """Draw nested lists of shots, of one shape."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    shots = draw(st.integers(0, 5))

    def of(depth: int) -> Any:
        if depth == len(shape):
            return draw(st.lists(HEXES, min_size=shots, max_size=shots))
        return [of(depth + 1) for _ in range(shape[depth])]

    return of(0)


SAMPLES = st.one_of(SHOTS, sweeps(), st.lists(SHOTS, max_size=4), st.lists(st.one_of(SHOTS, HEXES), max_size=4), OTHERS)
WIDTHS = st.one_of(st.integers(1, 8), st.integers(1, 201), st.sampled_from([None, 0, -1, "5", True, 1.5, 10**9]))


@st.composite
def registers(draw: st.DrawFn) -> Any:
    """Draw a register, or nearly one."""
    members = {"samples": draw(SAMPLES), "num_bits": draw(WIDTHS), draw(TRAPS): draw(st.one_of(OTHERS, SAMPLES))}
    names = draw(st.permutations(list(members)))
    return {name: members[name] for name in names[: draw(st.integers(1, 3))]}


@st.composite
def sane(draw: st.DrawFn) -> Any:
    """Draw a register as the service sends it."""
    bits = draw(st.integers(1, 200))
    samples = draw(st.lists(st.integers(0, 2**bits - 1).map(hex), max_size=40))
    return {"samples": samples} | ({"num_bits": bits} if draw(st.booleans()) else {})


METADATA = st.dictionaries(st.one_of(TRAPS, st.just("samples")), st.one_of(OTHERS, SAMPLES, registers()), max_size=3)
FIELDS = st.one_of(sane(), registers(), OTHERS, st.lists(st.floats(), max_size=3))
PUBS = st.fixed_dictionaries(
    {"data": st.dictionaries(st.sampled_from(["c", "meas", "samples", "é"]), st.one_of(sane(), FIELDS), max_size=3)},
    optional={"metadata": METADATA},
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"results": st.lists(PUBS, max_size=3)}, optional={"metadata": METADATA}),
    st.fixed_dictionaries(
        {"results": st.lists(st.one_of(PUBS, METADATA, OTHERS), max_size=3)},
        optional={"quasi_dists": st.just([{"0": 0.5}]), "metadata": METADATA, "samples": SAMPLES},
    ),
    registers(),
    SAMPLES,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body: a document in any layout."""
    text = json.dumps(
        draw(DOCUMENTS),
        indent=draw(st.sampled_from([None, None, 0, 2])),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")])),
        ensure_ascii=draw(st.booleans()),
    )
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-le"])))


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Draw a body in which something is cut out, put in or cut off."""
    body = draw(bodies())
    at = draw(st.integers(0, len(body)))
    put = draw(st.sampled_from([b"", b'"', b"]", b"[", b",", b"\\", b"{", b"}", b"5", b" ", b"\xff", b"\x00", b"0x1"]))
    return body[:at] + put + body[at + draw(st.integers(0, 3)) :] or b"["


LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=5)
STEPS = st.sampled_from([1, 1, 2, 17, 64, 300])


@settings(deadline=None, max_examples=300)
@given(bodies(), LENGTHS, STEPS)
def test_a_body_in_pieces_means_what_the_whole_means(body: bytes, lengths: list[int], step: int) -> None:
    """Whatever a body holds and wherever it is cut, the result or the error is that of the whole."""
    assert_same(body, lengths, step)


@settings(deadline=None, max_examples=300)
@given(broken(), LENGTHS, STEPS)
@example(b'{"results": [{"data": {"c": {"samples": ["0x1", "0x2"]5, "num_bits": 3}}, "metadata": {}}]}', [1], 1)
@example(b'{"results": [{"data": {"c": {"samples": ["0x1"] ["0x2"], "num_bits": 3}}, "metadata": {}}]}', [1], 1)
@example(b'{"results": [{"data": {"c": {"samples": ["0x1" "0x2"], "num_bits": 3}}, "metadata": {"a": 1}}]}', [1], 1)
@example(b'{"results": [{"data": {"c": {"samples": [["0x1"]], ["0x2"]], "num_bits": 3}}, "metadata": {}}]}', [1], 1)
def test_a_broken_body_fails_as_the_whole_does(body: bytes, lengths: list[int], step: int) -> None:
    """A body with a mistake anywhere gives the error of the whole, never another exception."""
    assert_same(body, lengths, step)


@pytest.mark.parametrize("bits", [1, 4, 5, 8, 9, 16, 64, 65, 127, 156, 433, 1121])
@pytest.mark.parametrize("shape", [(3000,), (50, 40), (1500, 1), (7, 1, 90), (3, 2, 2, 60)])
def test_registers_of_any_width_and_sweep_are_packed(bits: int, shape: tuple[int, ...]) -> None:
    """Large registers, several in a body, come out equal, and not a single shot of them stays text."""
    rng = random.Random(bits)

    def of(sizes: tuple[int, ...]) -> Any:
        if not sizes:
            return hex(rng.getrandbits(rng.choice([bits, bits, 1])))
        return [of(sizes[1:]) for _ in range(sizes[0])]

    data = {name: {"samples": of(shape), "num_bits": bits} for name in ("a", "b")}
    body = json.dumps({"results": [{"data": data, "metadata": {}}] * 2, "metadata": {}}).encode()
    scanner = Scanner(1)
    scanner.feed(body)

    assert len(scanner.finish().arrays) == 4
    assert in_pieces(results.sampler, body, [1000], 1) == results.sampler._read(json.loads(body))


def test_shots_in_metadata_stay_text() -> None:
    """What looks like a register elsewhere stays the list of texts that it is, beside registers that are packed."""
    shots = [hex(k % 32) for k in range(2000)]
    body = json.dumps(
        {
            "results": [{"data": {"c": {"samples": shots, "num_bits": 5}}, "metadata": {"samples": shots}}],
            "metadata": {"deep": [{"samples": [shots, shots]}]},
        }
    ).encode()

    found = in_pieces(results.sampler, body, [999], 1)

    assert found == results.sampler(body) == results.sampler._read(json.loads(body))
    assert (found[0].metadata, found.metadata) == ({"samples": shots}, {"deep": [{"samples": [shots, shots]}]})


def test_a_register_of_any_name_may_hold_another_spelling_of_its_key() -> None:
    """A key with escapes is read by JSON's own rules."""
    body = b'{"results": [{"data": {"c": {"\\u0073amples": ["0x1", "0x3"], "num_bits": 2}}, "metadata": {}}]}'

    assert in_pieces(results.sampler, body, [3], 1)[0].data.c.counts() == {"01": 1, "11": 1}


def test_shots_do_not_wait_as_text() -> None:
    """A body of several megabytes is read in a fraction of its own size, where the shots' own bytes allow for it."""
    rng = random.Random(1)
    shots = b",".join(b'"0x%x"' % rng.getrandbits(5) for _ in range(600_000))
    body = b'{"results":[{"data":{"c":{"samples":[' + shots + b'],"num_bits":5}},"metadata":{}}],"metadata":{}}'
    sink = results.sampler.sink(ReplyHead(200))
    results.sampler(b'{"results":[]}')
    for start in range(0, 200_000, 65_536):
        results.sampler.sink(ReplyHead(200)).feed(body[start : start + 65_536])

    tracemalloc.start()
    for start in range(0, len(body), 65_536):
        sink.feed(body[start : start + 65_536])
    found = sink.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found is not None
    assert found[0].data.c.num_shots == 600_000
    assert peak < len(body) / 2


def test_a_few_letters_cannot_ask_for_gigabytes() -> None:
    """A register whose width would take more memory than any result is refused before it is made."""
    shots = ["0x0"] * 140_000
    data = {"c": {"samples": shots, "num_bits": 65_536}}
    body = json.dumps({"results": [{"data": data, "metadata": {}}], "metadata": {}}).encode()

    for read in (lambda: results.sampler(body), lambda: in_pieces(results.sampler, body, [65_536], 32_768)):
        with pytest.raises(
            ProtocolError, match=r"payloads of at most \d+ bytes .* @ \$\.results\[0\]\.data\.c\.samples"
        ):
            read()


def test_no_content_is_no_result() -> None:
    """Neither a 204 nor an empty body is a result."""
    sink = results.sampler.sink(ReplyHead(204))
    sink.feed(b"{}")

    assert sink.finish() is None
    assert results.sampler.sink(ReplyHead(200)).finish() is None
    assert isinstance(in_pieces(results.primitive, b'{"results":[{"data":{}}]}', [1], 1)[0].data, SamplerData)
