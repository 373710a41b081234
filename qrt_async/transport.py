"""One call out, one reply in: the only place that speaks to aiohttp's client."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

import aiohttp
import attrs
from yarl import URL

from qrt_async import errors
from qrt_async.threads import in_thread
from qrt_async.wire.call import Body, Call, ReplyHead, Sink
from qrt_async.wire.outcome import open_sink

T = TypeVar("T")

_SLICE = 64 * 1024


@attrs.define
class Transport:
    """
    A pool of connections.

    Redirects are never followed and cookies never kept, so that no credential reaches a host it was not meant for. A
    large reply is taken in slices, and what is left to decode at its end is done in a thread, so that the event loop
    goes on.
    """

    _connect_timeout: float
    _session: aiohttp.ClientSession | None = None

    async def send(self, call: Call[T], *, base: str, headers: Mapping[str, str], timeout: float) -> T:
        """
        Send a call once and return what its reply means.

        Raises:
            TransportError: no complete reply within `timeout` seconds, its body included.
            ApiError: the service said no.
            ProtocolError: the reply cannot be read.

        """
        try:
            sink, size = await self._exchange(call, base, headers, timeout)
        except aiohttp.ServerTimeoutError as error:
            raise _timed_out(call, timeout, error) from error
        except TimeoutError as error:
            raise errors.RequestTimeout(f"no reply within {timeout:g} s", operation=call.operation) from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.InvalidURL) as error:
            raise errors.ConnectionFailed(f"no connection: {error}", operation=call.operation) from error
        except aiohttp.ClientPayloadError as error:
            raise errors.TruncatedReply(f"the reply was cut short: {error}", operation=call.operation) from error
        except aiohttp.ClientResponseError as error:
            raise errors.ProtocolError(f"not HTTP: {error.message}", operation=call.operation) from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.Disconnected(f"the connection was lost: {error}", operation=call.operation) from error
        return await in_thread(sink.finish, size=size)

    async def _exchange(
        self, call: Call[T], base: str, headers: Mapping[str, str], timeout: float
    ) -> tuple[Sink[T], int]:
        body = call.body
        content = {"Content-Type": body.content_type, "Content-Length": str(body.size)} if body else {}
        async with self._open().request(
            call.method,
            _url(base, call),
            data=_content(body) if body else None,
            headers={**headers, **content},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=None, sock_connect=self._connect_timeout),
        ) as response:
            head = ReplyHead(response.status, {name.lower(): value for name, value in response.headers.items()})
            sink = open_sink(call, head, lambda: dt.datetime.now(dt.UTC))
            return sink, await _feed(sink, response.content.iter_any())

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                raise_for_status=False,
            )
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def _content(body: Body) -> bytes | AsyncIterator[bytes]:
    """Return what aiohttp is to send: a large body piece by piece, so that the loop goes on in between."""
    if len(body.chunks) <= 1:
        return body.data

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in body.chunks:
            yield chunk
            await asyncio.sleep(0)

    return chunks()


async def _feed(sink: Sink[T], chunks: AsyncIterator[bytes]) -> int:
    """Feed a body to its sink, letting the loop go on between slices, and return its length."""
    size = since_turn = 0
    async for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            piece = chunk[start : start + _SLICE]
            sink.feed(piece)
            size += len(piece)
            since_turn += len(piece)
            if since_turn >= _SLICE:
                since_turn = 0
                await asyncio.sleep(0)
    return size


def _timed_out(call: Call[T], timeout: float, error: aiohttp.ServerTimeoutError) -> errors.TransportError:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return errors.ConnectionFailed("no connection in time", operation=call.operation)
    return errors.RequestTimeout(f"no reply within {timeout:g} s", operation=call.operation)


def _url(base: str, call: Call[T]) -> URL:
    url = URL(base + call.path, encoded=True)
    return url.with_query(call.query) if call.query else url
