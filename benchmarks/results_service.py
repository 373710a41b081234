"""A service that answers at once, with results of a hundred megabytes: the other end of ``benchmarks/results.py``."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import ssl
import sys
from pathlib import Path

CHUNK = 262_144
LOGIN = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
JOB = {"program": {"id": "sampler"}, "status": "Completed", "state": {"status": "Completed"}}

BODIES: dict[str, bytes] = {}
"""By job id: ``5``, ``127``, and the same with ``-gzip``."""


def sampler_body(num_bits: int, megabytes: int) -> bytes:
    """Return the body of a result of random shots."""
    rng = random.Random(num_bits)
    if num_bits <= 8:
        texts = [f'"{value:#x}"' for value in range(2**num_bits)]
        shots = rng.choices(texts, k=megabytes * 1_000_000 * len(texts) // len(",".join([*texts, ""])))
    else:
        count = megabytes * 1_000_000 // (num_bits // 4 + 5)
        shots = [f'"{rng.getrandbits(num_bits):#x}"' for _ in range(count)]
    register = b'{"samples":[' + ",".join(shots).encode() + b'],"num_bits":%d}' % num_bits
    return b'{"results":[{"data":{"c":' + register + b'},"metadata":{}}],"metadata":{"version":2}}'


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection until it is closed."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            length = int(fields.get("content-length", 0))
            while length:
                length -= len(await reader.read(min(length, CHUNK)))
            await _reply(writer, lines[0].split()[1])
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _reply(writer: asyncio.StreamWriter, path: str) -> None:
    parts = path.partition("?")[0].strip("/").split("/")
    body, encoding = json.dumps(LOGIN if parts[-1] == "token" else JOB | {"id": parts[-1]}).encode(), ""
    if parts[-1] == "results":
        body, encoding = BODIES[parts[-2]], "Content-Encoding: gzip\r\n" * parts[-2].endswith("gzip")
    writer.write(
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{encoding}Content-Length: {len(body)}\r\n\r\n".encode()
    )
    for start in range(0, len(body), CHUNK):
        writer.write(body[start : start + CHUNK])
        await writer.drain()


async def main(megabytes: int, certificate: Path, key: Path) -> None:
    """Make the bodies, serve them on two ports, and say on which."""
    for num_bits in (5, 127):
        BODIES[f"{num_bits}"] = sampler_body(num_bits, megabytes)
        BODIES[f"{num_bits}-gzip"] = gzip.compress(BODIES[f"{num_bits}"], 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = await asyncio.start_server(answer, "127.0.0.1", 0, limit=CHUNK)
    secure = await asyncio.start_server(answer, "127.0.0.1", 0, limit=CHUNK, ssl=context)
    print(plain.sockets[0].getsockname()[1], secure.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
