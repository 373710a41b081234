"""One value per operation: what to send, to which host, and how to read the reply."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote, urlencode

import attrs

from qrt_async.errors import ProtocolError
from qrt_async.wire import json_pieces

MOST = 256 * 2**20
"""Bytes of an answer that is kept whole: far more than any has, results aside."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Host(enum.Enum):
    """Which server a call is for; the host decides the credential it gets."""

    API = "api"
    AUTH = "auth"
    TRANSPILER = "transpiler"
    SEARCH = "search"
    CATALOG = "catalog"


class Replay(enum.Enum):
    """Whether a call may be sent again after a failure that leaves open if it was acted on."""

    ALWAYS = "always"
    NEVER = "never"
    RECONCILE = "reconcile"
    """Only after somebody has looked whether it was acted on: what submits a job."""


class Patience(enum.Enum):
    """Which of the client's time-outs one sending of a call gets."""

    REQUEST = "request"
    SUBMISSION = "submission"
    RESULTS = "results"


@attrs.frozen
class ReplyHead:
    """Status and headers of a reply; header names are lower case."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class Reply:
    """A whole reply in memory."""

    head: ReplyHead
    body: bytes = attrs.field(repr=False)


class Sink(Protocol[T_co]):
    """Takes a reply's body as it arrives and ends as the value it means."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        ...

    def finish(self) -> T_co:
        """Return the value, or raise the error that the whole reply stands for."""
        ...


@attrs.define
class BufferedSink(Generic[T]):
    """A sink that keeps the whole body, refused beyond `most` bytes (None: any number), and reads it at the end."""

    _head: ReplyHead
    _read: Callable[[Reply], T]
    _most: int | None = MOST
    _chunks: list[bytes] = attrs.field(factory=list[bytes], repr=False, init=False)
    _size: int = attrs.field(default=0, init=False)

    def feed(self, chunk: bytes) -> None:
        """Keep the bytes."""
        self._size += len(chunk)
        if self._most is not None and self._size > self._most:
            raise ProtocolError(f"the body is longer than {self._most} bytes")
        self._chunks.append(chunk)

    def finish(self) -> T:
        """Read the whole reply."""
        return self._read(Reply(self._head, b"".join(self._chunks)))


def buffered(read: Callable[[Reply], T], *, most: int | None = MOST) -> Callable[[ReplyHead], Sink[T]]:
    """Return a maker of sinks that hand the whole reply to `read`; a body beyond `most` bytes is refused."""
    return lambda head: BufferedSink(head, read, most)


@attrs.frozen
class Body:
    """What a request carries, in pieces of no more than some ten kilobytes; never shown, since it may hold a key."""

    content_type: str
    chunks: tuple[bytes, ...] = attrs.field(repr=False)

    @property
    def data(self) -> bytes:
        """The whole of it."""
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(map(len, self.chunks))


def json_body(value: Any) -> Body:
    """
    Return `value` as a JSON body; NaN and infinities are refused, since JSON has none.

    No step of it holds Python's lock for long, so that a thread can make a large one beside the event loop.
    """
    return Body("application/json", tuple(json_pieces.pieces(value)))


def form_body(fields: Mapping[str, str]) -> Body:
    """Return `fields` as a form body."""
    return Body("application/x-www-form-urlencoded", (urlencode(fields).encode(),))


@attrs.frozen(kw_only=True)
class Call(Generic[T]):
    """
    One request to the service, and the way to read its reply.

    `path` is relative to the host's base and already percent-encoded; a query key may stand more than once. A `fresh`
    call travels on a connection of its own, and nobody sends it twice: for what the service gives away once.
    """

    operation: str
    method: str
    path: str
    read: Callable[[ReplyHead], Sink[T]] = attrs.field(repr=False, eq=False)
    host: Host = Host.API
    query: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    replay: Replay = Replay.ALWAYS
    patience: Patience = Patience.REQUEST
    fresh: bool = False


def path(*segments: str) -> str:
    """Return the path of these segments, each percent-encoded, so that an id can never name another resource."""
    return "".join(f"/{_segment(segment)}" for segment in segments)


def _segment(text: str) -> str:
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if set(text) <= {"."} else encoded


def query(pairs: Iterable[tuple[str, str | int | bool | None]]) -> tuple[tuple[str, str], ...]:
    """Return the pairs as the service spells them: booleans in lower case, None left out."""
    spelled = ((key, str(value).lower() if isinstance(value, bool) else value) for key, value in pairs)
    return tuple((key, str(value)) for key, value in spelled if value is not None)
