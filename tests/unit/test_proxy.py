"""The proxy that other tests trust to break connections as networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.proxy import Conduct, Cut, Proxy, proxied


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """Run a server that says everything twice, and "over" at the end of what it hears."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data * 2)
            writer.write(b"over")
        except ConnectionError:
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Start a proxy in front of the echo."""
    async with echoing() as url, proxied(url) as proxy:
        yield proxy


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a proxy."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_passing_through(proxy: Proxy) -> None:
    """Without any conduct everything goes through both ways, the end included, and is counted."""
    async with connected(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(10) == b"hellohello"
        writer.write_eof()
        assert await reader.read() == b"over"
        await proxy.until(lambda it: it.open == 0)

    assert (proxy.accepted, proxy.requested, proxy.replied) == (1, 5, 14)


async def test_rejecting(proxy: Proxy) -> None:
    """New connections are reset at once, until that is over."""
    await proxy.behave(Conduct(reject=True))
    async with connected(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    await proxy.behave(Conduct())

    async with connected(proxy) as (reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(2) == b"aa"
    assert proxy.accepted == 2


@pytest.mark.parametrize(("cut", "error"), [(Cut.RESET, ConnectionResetError), (Cut.CLOSE, None)])
async def test_cutting_replies(proxy: Proxy, cut: Cut, error: type[Exception] | None) -> None:
    """A connection ends after so many bytes of its reply, by FIN or by RST; the request had arrived."""
    async with connected(proxy) as (reader, writer):
        writer.write(b"first")
        await reader.readexactly(10)
        await proxy.behave(Conduct(reply_bytes=3, cut=cut))
        writer.write(b"second")
        if error is None:
            assert await reader.read() == b"sec"
        else:
            with pytest.raises(error):
                while await reader.read(1):
                    pass
        await proxy.until(lambda it: it.open == 0)

    assert proxy.requested == 11


async def test_cutting_requests(proxy: Proxy) -> None:
    """A connection ends before its request has arrived whole."""
    await proxy.behave(Conduct(request_bytes=4))
    async with connected(proxy) as (reader, writer):
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            while await reader.read(1):
                pass

    assert proxy.requested == 4


async def test_half_close(proxy: Proxy) -> None:
    """The reader of a half-closed connection sees its end, while what it says still arrives."""
    await proxy.behave(Conduct(reply_bytes=2, cut=Cut.HALF_CLOSE))
    async with connected(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.read() == b"he"
        writer.write(b"again")
        await proxy.until(lambda it: it.requested == 10)

        assert proxy.open == 1


async def test_silence(proxy: Proxy) -> None:
    """What follows the last byte is swallowed, and the connection stays open."""
    await proxy.behave(Conduct(reply_bytes=2, cut=Cut.SILENCE))
    async with connected(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(2) == b"he"
        writer.write(b"again")
        await proxy.until(lambda it: it.requested == 10)

        assert (proxy.open, proxy.replied) == (1, 2)


async def test_blackhole(proxy: Proxy) -> None:
    """Nothing goes through a black hole, and everything once it is over."""
    async with connected(proxy) as (reader, writer):
        await proxy.behave(Conduct(blackhole=True))
        writer.write(b"hello")
        await proxy.until(lambda it: it.open == 1)
        held_back = proxy.requested
        await proxy.behave(Conduct())

        assert await reader.readexactly(10) == b"hellohello"
        assert held_back == 0


async def test_delay_and_trickle() -> None:
    """Replies come in pieces of the size asked for, each after its delay, on the clock that was given."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with echoing() as url, proxied(url, sleep) as proxy:
        await proxy.behave(Conduct(delay=5, trickle=2))
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(10) == b"hellohello"

    assert slept == [5] * 5


@pytest.mark.parametrize("reset", [True, False])
async def test_ending_all(proxy: Proxy, reset: bool) -> None:
    """All open connections end at once when the test says so."""
    async with connected(proxy) as (reader, _), connected(proxy) as (other, _):
        await proxy.until(lambda it: it.open == 2)
        proxy.end_all(reset=reset)
        for each in (reader, other):
            if reset:
                with pytest.raises(ConnectionResetError):
                    await each.read()
            else:
                assert await each.read() == b""
        await proxy.until(lambda it: it.open == 0)


async def test_a_server_that_is_gone() -> None:
    """A connection to a server that does not answer is reset."""
    async with proxied("http://127.0.0.1:9") as proxy, connected(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read()
