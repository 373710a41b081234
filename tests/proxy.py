"""A TCP proxy between a client and a server, which does to their connections what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import urlsplit

import attrs

_CHUNK = 65536


class Cut(Enum):
    """What comes after the last byte that gets through.

    CLOSE and RESET end both ends of the connection, RESET at once (RST). HALF_CLOSE tells the reader alone that there
    is no more (FIN); the other direction goes on. SILENCE tells nobody, and swallows what follows.
    """

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half-close"
    SILENCE = "silence"


@attrs.frozen
class Conduct:
    """What is done to every connection; the defaults do nothing.

    With `reject` new connections are reset at once. `delay` seconds pass before each piece of a reply, `trickle` makes
    the pieces that many bytes. With `blackhole` nothing goes through, nothing is closed, and all of it goes on once
    that is over. `request_bytes` and `reply_bytes` are how many bytes of each connection get through from now on;
    `cut` is what comes then.
    """

    reject: bool = False
    delay: float = 0.0
    trickle: int | None = None
    blackhole: bool = False
    request_bytes: int | None = None
    reply_bytes: int | None = None
    cut: Cut = Cut.RESET


@attrs.define(eq=False)
class _Direction:
    """One direction of a connection; `passed` counts its bytes since the conduct was chosen."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_reply: bool
    passed: int = 0
    ended: bool = False

    def room(self, conduct: Conduct) -> int | None:
        """Give how many bytes may still pass, None for any number."""
        most = conduct.reply_bytes if self.is_reply else conduct.request_bytes
        return None if most is None else max(0, most - self.passed)


@attrs.define(eq=False)
class _Connection:
    """The two directions of one connection."""

    requests: _Direction
    replies: _Direction

    def end(self, *, reset: bool) -> None:
        """End the connection at both ends; a reset loses what is on its way."""
        for writer in (self.requests.writer, self.replies.writer):
            if reset:
                _reset(writer)
            writer.close()


class Proxy:
    """Passes connections on to one server, at `url`; does to them what `behave` says, to those that are open as well.

    `accepted` counts the connections so far, `requested` and `replied` the bytes that went through.
    """

    def __init__(self, host: str, port: int, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._target = (host, port)
        self._sleep = sleep
        self._conduct = Conduct()
        self._connections: set[_Connection] = set()
        self._changed = asyncio.Condition()
        self.url: str = ""
        self.accepted: int = 0
        self.requested: int = 0
        self.replied: int = 0

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def behave(self, conduct: Conduct) -> None:
        """Do this to all connections from now on."""
        self._conduct = conduct
        for connection in self._connections:
            connection.requests.passed = connection.replies.passed = 0
        await self._note()

    async def until(self, holds: Callable[[Proxy], bool]) -> None:
        """Wait until something holds that the counts tell."""
        async with self._changed:
            await self._changed.wait_for(lambda: holds(self))

    def end_all(self, *, reset: bool) -> None:
        """End all open connections, abruptly or not."""
        for connection in self._connections:
            connection.end(reset=reset)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until it has ended."""
        self.accepted += 1
        await self._note()
        if self._conduct.reject:
            _reset(writer)
            return
        try:
            back, onward = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        connection = _Connection(_Direction(reader, onward, is_reply=False), _Direction(back, writer, is_reply=True))
        self._connections.add(connection)
        await self._note()
        try:
            await asyncio.gather(
                self._pump(connection, connection.requests), self._pump(connection, connection.replies)
            )
        finally:
            self._connections.discard(connection)
            connection.end(reset=False)
            await self._note()

    async def _pump(self, connection: _Connection, way: _Direction) -> None:
        """Pass on what comes one way, until its end; the end of one way is not that of the other."""
        with contextlib.suppress(ConnectionError):
            while data := await way.reader.read((way.is_reply and self._conduct.trickle) or _CHUNK):
                await self._let_through(connection, way, data)
            if not way.ended:
                way.writer.write_eof()
            return
        connection.end(reset=True)

    async def _let_through(self, connection: _Connection, way: _Direction, data: bytes) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._conduct.blackhole)
        if way.is_reply and self._conduct.delay:
            await self._sleep(self._conduct.delay)
        room = way.room(self._conduct)
        piece = data if room is None else data[:room]
        if piece and not way.ended:
            way.writer.write(piece)
            await way.writer.drain()
            await self._count(way, len(piece))
        if room is not None and len(data) >= room:
            _cut(connection, way, self._conduct.cut)

    async def _count(self, way: _Direction, size: int) -> None:
        way.passed += size
        if way.is_reply:
            self.replied += size
        else:
            self.requested += size
        await self._note()

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def proxied(url: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the server at `url`; `sleep` takes the time of its delays."""
    target = urlsplit(url)
    assert target.hostname is not None
    assert target.port is not None
    proxy = Proxy(target.hostname, target.port, sleep)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.accept(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def _cut(connection: _Connection, way: _Direction, how: Cut) -> None:
    if how is Cut.SILENCE:
        return
    if how is not Cut.HALF_CLOSE:
        connection.end(reset=how is Cut.RESET)
    elif not way.ended:
        way.ended = True
        way.writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
