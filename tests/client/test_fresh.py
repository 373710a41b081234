"""What the service gives away once: asked for once, on a connection of its own, and kept before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest

from qrt_async import ClientClosed, Disconnected, NotFound, TruncatedReply
from qrt_async.transport import Transport
from qrt_async.wire.call import Call, Reply, buffered
from qrt_async.wire.outcome import nothing
from tests.client.wires import listening

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def whole(body: bytes = b"ok", status: str = "200 OK") -> Answer:
    """Answer, and keep the connection."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return answer


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection without an answer."""
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off."""
    writer.transport.abort()


async def half(writer: asyncio.StreamWriter) -> None:
    """Send half of what was promised, and close."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf-")
    await writer.drain()
    writer.close()


@attrs.define
class RawServer:
    """Answers requests in the order of its script; the last answer is given for ever."""

    script: list[Answer]
    url: str = ""
    requests: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take request after request from a connection, as long as it lasts."""
        self.connections += 1
        number = self.connections
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append((number, head.decode().split("\r\n", maxsplit=1)[0]))
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await answer(writer)


@asynccontextmanager
async def raw(*script: Answer) -> AsyncIterator[tuple[RawServer, Transport]]:
    """Run such a server, and a transport to it."""
    server = RawServer(list(script))
    transport = Transport(5)
    async with listening(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}"
        try:
            yield server, transport
        finally:
            await transport.aclose()


def text(reply: Reply) -> bytes:
    """Read a reply as its bytes."""
    return reply.body


def get(*, fresh: bool) -> Call[bytes]:
    """Return a read."""
    return Call(operation="jobs.results", method="GET", path="/results", fresh=fresh, read=buffered(text))


async def sent(server: RawServer, transport: Transport, *, fresh: bool) -> bytes:
    """Send a read."""
    return await transport.send(get(fresh=fresh), base=server.url, headers={}, timeout=5)


@pytest.mark.parametrize("ending", [hang_up, reset])
async def test_a_private_read_is_seen_once(ending: Answer) -> None:
    """A server that takes the request and closes sees it once, and the caller hears that the connection was lost."""
    async with raw(whole(), ending) as (server, transport):
        await sent(server, transport, fresh=False)
        with pytest.raises(Disconnected) as caught:
            await sent(server, transport, fresh=True)

    assert [number for number, _ in server.requests] == [1, 2]
    assert caught.value.left is True


async def test_any_other_read_is_repeated_by_aiohttp() -> None:
    """Without `fresh` the same server sees a GET again: this is what the private read is kept from."""
    async with raw(whole(), hang_up, whole(b"again")) as (server, transport):
        await sent(server, transport, fresh=False)
        assert await sent(server, transport, fresh=False) == b"again"

    assert len(server.requests) == 3


async def test_each_private_read_has_a_connection_of_its_own() -> None:
    """It neither takes a kept-alive connection, which may be dead, nor leaves one behind."""
    async with raw(whole()) as (server, transport):
        for fresh in (False, True, False, True):
            await sent(server, transport, fresh=fresh)

    assert [number for number, _ in server.requests] == [1, 2, 1, 3]


async def test_chunks_are_handed_over_before_they_are_read() -> None:
    """Whoever keeps a private result has every byte before anything of it is decoded."""
    kept: list[bytes] = []

    def decode(reply: Reply) -> bool:
        return b"".join(kept) == reply.body

    async def keep(chunk: bytes) -> None:
        await asyncio.sleep(0)
        kept.append(chunk)

    body = bytes(range(256)) * 4096
    call = Call(operation="jobs.results", method="GET", path="/results", fresh=True, read=buffered(decode))
    async with raw(whole(body)) as (server, transport):
        assert await transport.send(call, base=server.url, headers={}, timeout=5, on_chunk=keep)

    assert b"".join(kept) == body


async def test_what_arrived_of_a_cut_reply_is_kept() -> None:
    """The bytes before the cut are handed over, and the cut is an error."""
    kept: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        await asyncio.sleep(0)
        kept.append(chunk)

    async with raw(half) as (server, transport):
        with pytest.raises(TruncatedReply):
            await transport.send(get(fresh=True), base=server.url, headers={}, timeout=5, on_chunk=keep)

    assert b"".join(kept) == b"half-"
    assert len(server.requests) == 1


async def test_a_full_disk_is_not_a_lost_connection() -> None:
    """What the keeper of the chunks raises comes out as it is, and the transport goes on working."""
    full = OSError(28, "No space left on device")

    async def keep(_: bytes) -> None:
        await asyncio.sleep(0)
        raise full

    async with raw(whole()) as (server, transport):
        with pytest.raises(OSError, match="No space left") as caught:
            await transport.send(get(fresh=True), base=server.url, headers={}, timeout=5, on_chunk=keep)
        assert await sent(server, transport, fresh=True) == b"ok"

    assert caught.value is full


async def test_a_refusal_is_not_kept() -> None:
    """The body of an error is no result."""
    kept: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        await asyncio.sleep(0)
        kept.append(chunk)

    async with raw(whole(b"no such job", "404 Not Found")) as (server, transport):
        with pytest.raises(NotFound):
            await transport.send(get(fresh=True), base=server.url, headers={}, timeout=5, on_chunk=keep)

    assert kept == []


async def test_a_closed_transport_opens_nothing() -> None:
    """After the end no session is made, not even by a call that had begun to open one."""
    transport = Transport(5)
    late = Call(operation="x", method="GET", path="/", read=nothing())
    opening = asyncio.create_task(transport.send(late, base="http://127.0.0.1:9", headers={}, timeout=5))
    await asyncio.sleep(0)
    await transport.aclose()

    with pytest.raises(ClientClosed):
        await opening
