"""What stands between a client and a service: an HTTP proxy, certificates, and a server that hangs up, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trustme

Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@attrs.frozen
class Authority:
    """A private certificate authority."""

    bundle: Path
    root: trustme.CA

    @classmethod
    def at(cls, folder: Path) -> Authority:
        """Make an authority whose certificate lies in a folder."""
        root = trustme.CA()
        bundle = folder / "ca.pem"
        root.cert_pem.write_to_path(bundle)
        return cls(bundle, root)

    def server(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server that goes by these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.root.issue_cert(*names).configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority."""
        context = ssl.create_default_context()
        self.root.configure_trust(context)
        return context


@asynccontextmanager
async def listening(serve: Stream) -> AsyncIterator[int]:
    """Serve each connection so, on a port of its own, and end them all."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@attrs.define
class ProxyServer:
    """An HTTP proxy that leads every host to one port, and remembers who was asked for and with which headers."""

    target: int
    refusal: bytes | None = None
    port: int = 0
    heads: list[str] = attrs.field(factory=list[str])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked_for(self) -> list[str]:
        """The first lines of what it was asked, without the protocol's version."""
        return [head.split(" HTTP/")[0] for head in self.heads]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open a tunnel, or pass a plain request on."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        if self.refusal is not None:
            writer.write(self.refusal)
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(head)
        try:
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            far_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(target: int, refusal: bytes | None = None) -> AsyncIterator[ProxyServer]:
    """Run a proxy that leads to a port of this machine, or refuses everybody so."""
    found = ProxyServer(target, refusal)
    async with listening(found.serve) as port:
        found.port = port
        yield found
