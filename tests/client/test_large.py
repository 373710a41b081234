"""Large bodies in both directions: in pieces on the way out, packed as they come in."""

from __future__ import annotations

import gzip
import json
import random

import numpy as np
from aiohttp import web

from qrt_async import Client, SamplerPub
from qrt_async.wire.call import Call, json_body
from qrt_async.wire.outcome import nothing
from tests.client.scripted import Answer, Service, job, reply


def shots(count: int, num_bits: int) -> list[str]:
    """Return so many shots as the service writes them."""
    rng = random.Random(num_bits)
    return [hex(rng.getrandbits(num_bits)) for _ in range(count)]


def zipped(body: bytes) -> Answer:
    """Answer with a compressed body."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    return answer


async def test_a_large_result_is_packed_as_it_arrives(service: Service) -> None:
    """Megabytes of shots come out as they were sent, plain and compressed."""
    wide, narrow = shots(40_000, 127), shots(100_000, 5)
    data = {"wide": {"samples": wide, "num_bits": 127}, "narrow": {"samples": narrow, "num_bits": 5}}
    body = json.dumps({"results": [{"data": data, "metadata": {"m": [1]}}], "metadata": {"version": 2}})
    service.on("GET /api/v1/jobs/j", job("Completed"))
    service.on("GET /api/v1/jobs/j/results", reply(body=body), zipped(gzip.compress(body.encode(), 1)))

    async with Client(service.account()) as client:
        found = [await client.job("j").result() for _ in range(2)]

    for result in found:
        assert (result.metadata, result[0].metadata) == ({"version": 2}, {"m": [1]})
        assert result[0].data.wide.ints() == [int(text, 16) for text in wide]
        assert result[0].data.narrow.ints() == [int(text, 16) for text in narrow]
        assert result[0].data.narrow.array.dtype == np.uint8


async def test_a_large_body_goes_out_in_pieces_with_its_length(service: Service) -> None:
    """A request of megabytes says how long it is, arrives whole, and can be sent again."""
    value = {"programs": ["x" * 1_000_000] * 3}
    call = Call(operation="x", method="PUT", path="/x", body=json_body(value), read=nothing())
    service.on("PUT /api/v1/x", reply(503), reply(204))

    async with Client(service.account()) as client:
        await client.send(call)

    sent = service.asked("PUT /api/v1/x")
    assert [one.json for one in sent] == [value, value]
    assert [int(one.headers["Content-Length"]) for one in sent] == [len(one.body) for one in sent]
    assert not any("Transfer-Encoding" in one.headers for one in sent)


async def test_a_large_submission_arrives_whole(service: Service) -> None:
    """PUBs of megabytes, long programs and many values, arrive as they were written."""
    program = "OPENQASM 3.0;" + " " * 400_000
    values = np.arange(40_000, dtype=float).reshape(-1, 4) / 7
    service.on("POST /api/v1/jobs", reply(body={"id": "j"}))

    async with Client(service.account()) as client:
        await client.sampler([SamplerPub(program, values, 10), program] * 3, backend="b")

    [sent] = service.asked("POST /api/v1/jobs")
    assert sent.json["params"]["pubs"] == [[program, values.tolist(), 10], [program]] * 3
    assert int(sent.headers["Content-Length"]) == len(sent.body)
