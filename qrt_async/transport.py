"""One call out, one reply in: the only place that speaks to aiohttp's client."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

import aiohttp
import attrs
from yarl import URL

from qrt_async import environment, errors
from qrt_async.network import Network, Proxy, is_loopback
from qrt_async.threads import in_thread
from qrt_async.wire.call import Body, Call, ReplyHead, Sink
from qrt_async.wire.outcome import open_sink

T = TypeVar("T")

_SLICE = 64 * 1024

OnChunk = Callable[[bytes], Awaitable[None]]


class _Lost(aiohttp.ClientError):
    """A lost connection, under a name that aiohttp does not answer by sending the request again."""


class _NotTaken(Exception):
    """Whoever was to take the chunks failed, and not the network."""

    def __init__(self, error: Exception) -> None:
        self.error = error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET whose connection was lost, which it does on new connections as well."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(str(error)) from error


@attrs.define
class Transport:
    """
    A pool of connections.

    Redirects are never followed and cookies never kept, so that no credential reaches a host it was not meant for. A
    large reply is taken in slices, and what is left to decode at its end is done in a thread, so that the event loop
    goes on.
    """

    _connect_timeout: float
    _network: Network = Network()
    _pool: aiohttp.ClientSession | None = None
    _single: aiohttp.ClientSession | None = None
    _context: ssl.SSLContext | None = None
    _proxies: dict[tuple[str, str], Proxy | None] = attrs.field(factory=dict[tuple[str, str], "Proxy | None"])
    _opening: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _closed: bool = False

    async def send(
        self,
        call: Call[T],
        *,
        base: str,
        headers: Mapping[str, str],
        timeout: float,
        on_chunk: OnChunk | None = None,
    ) -> T:
        """
        Send a call once and return what its reply means.

        `on_chunk` is awaited with each piece of a success's body as it arrives, before anything of it is decoded; what
        it raises ends the call and comes out as it is.

        Raises:
            TransportError: no complete reply within `timeout` seconds, its body included.
            ApiError: the service said no.
            ProtocolError: the reply cannot be read.
            InvalidOption: the network's CA bundle or the environment's proxy cannot be used; nothing was sent.

        """
        raised: Exception
        try:
            sink, size = await self._exchange(call, base, headers, timeout, on_chunk)
        except _NotTaken as failure:
            raised = failure.error
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            raised = _translated(call, timeout, error)
        else:
            return await in_thread(sink.finish, size=size)
        raise raised  # out of the clause: aiohttp's frames and request objects hold the credentials

    async def _exchange(
        self, call: Call[T], base: str, headers: Mapping[str, str], timeout: float, on_chunk: OnChunk | None
    ) -> tuple[Sink[T], int]:
        session = (self._single if call.fresh else self._pool) or await self._open(fresh=call.fresh)
        url = _url(base, call)
        content = _described(call.body) if call.body else {}
        proxy, for_proxy, for_host = self._way(url)
        async with session.request(
            call.method,
            url,
            data=_content(call.body) if call.body else None,
            headers={**headers, **content, **for_host},
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=for_proxy,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=None, sock_connect=self._connect_timeout),
        ) as response:
            head = ReplyHead(response.status, {name.lower(): value for name, value in response.headers.items()})
            sink = open_sink(call, head, lambda: dt.datetime.now(dt.UTC))
            take = on_chunk if 200 <= head.status < 300 else None
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if take is not None:
                    await _handed(chunk, take)
                await _feed(sink, chunk)
                del chunk  # a login's reply is not to be found in a traceback
            return sink, size

    def _way(self, url: URL) -> tuple[str | None, Mapping[str, str] | None, Mapping[str, str]]:
        """Return the proxy for a URL, the headers for the proxy of a tunnel, and those of a request without one."""
        place = (url.scheme, url.host or "")
        if place not in self._proxies:
            self._proxies[place] = self._proxy(*place)
        proxy = self._proxies[place]
        if proxy is None:
            return None, None, {}
        credentials = proxy.authorization()
        shown = {} if credentials is None else {"Proxy-Authorization": credentials}
        return (proxy.url, shown, {}) if url.scheme == "https" else (proxy.url, None, shown)

    def _proxy(self, scheme: str, host: str) -> Proxy | None:
        if self._network.proxy is not None or not self._network.trust_env or is_loopback(host):
            return self._network.proxy
        found = environment.proxy_url(scheme, host)
        try:
            return None if found is None else Proxy.parse(found)
        except errors.InvalidOption as error:
            raise errors.InvalidOption(
                f"the proxy that the environment names for {host} cannot be used ({error}): "
                f"correct {scheme.upper()}_PROXY, or set Network(proxy=…) or Network(trust_env=False)"
            ) from None

    async def _open(self, *, fresh: bool) -> aiohttp.ClientSession:
        async with self._opening:
            if self._pool is None:
                self._context = await asyncio.to_thread(self._network.context)
            if self._closed:
                raise errors.ClientClosed("this client is closed: make a new one")
            if self._pool is None:
                self._pool = self._session()
            if fresh and self._single is None:
                self._single = self._session(fresh=True)
            return self._single if fresh and self._single is not None else self._pool

    def _session(self, *, fresh: bool = False) -> aiohttp.ClientSession:
        trusted = True if self._context is None else self._context
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=fresh, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=False,
            middlewares=(_once,) if fresh else (),
        )

    async def aclose(self) -> None:
        """Close every connection; nothing can be sent afterwards."""
        self._closed = True
        sessions, self._pool, self._single = (self._pool, self._single), None, None
        for session in sessions:
            if session is not None:
                await session.close()


def _described(body: Body) -> Mapping[str, str]:
    return {"Content-Type": body.content_type, "Content-Length": str(body.size)}


def _content(body: Body) -> bytes | AsyncIterator[bytes]:
    """Return what aiohttp is to send: a large body piece by piece, so that the loop goes on in between."""
    return body.data if len(body.chunks) <= 1 else _pieces(body)


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    for chunk in body.chunks:
        yield chunk
        await asyncio.sleep(0)


async def _feed(sink: Sink[T], chunk: bytes) -> None:
    """Feed a chunk to its sink, letting the loop go on after every slice."""
    try:
        if len(chunk) < _SLICE // 2:
            sink.feed(chunk)
            return
        for start in range(0, len(chunk), _SLICE):
            sink.feed(chunk[start : start + _SLICE])
            await asyncio.sleep(0)
    except Exception as error:
        raise _NotTaken(error) from error


async def _handed(chunk: bytes, take: OnChunk) -> None:
    try:
        await take(chunk)
    except Exception as error:
        raise _NotTaken(error) from error


_MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[errors.TransportError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, errors.ConnectionFailed, "no connection in time"),
    (TimeoutError, errors.RequestTimeout, "no reply within {timeout:g} s"),
    (
        aiohttp.ClientHttpProxyError,
        errors.ProxyRefused,
        "the proxy opens no tunnel: HTTP {error.status} {error.message}",
    ),
    (aiohttp.ClientConnectorCertificateError, errors.UntrustedCertificate, "no connection: {error}"),
    ((aiohttp.ClientConnectorError, aiohttp.InvalidURL), errors.ConnectionFailed, "no connection: {error}"),
    (aiohttp.ClientPayloadError, errors.TruncatedReply, "the reply was cut short: {error}"),
    (Exception, errors.Disconnected, "the connection was lost: {error}"),
)


def _translated(call: Call[T], timeout: float, error: Exception) -> errors.QrtError:
    """Return what became of the request; the message says all that aiohttp knows."""
    if isinstance(error, aiohttp.ClientResponseError) and not isinstance(error, aiohttp.ClientHttpProxyError):
        return errors.ProtocolError(f"not HTTP: {error.message}", operation=call.operation)
    meaning, text = next((meaning, text) for kind, meaning, text in _MEANINGS if isinstance(error, kind))
    return meaning(text.format(error=error, timeout=timeout), operation=call.operation)


def _url(base: str, call: Call[T]) -> URL:
    url = URL(base + call.path, encoded=True)
    return url.with_query(call.query) if call.query else url
