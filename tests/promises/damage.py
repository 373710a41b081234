"""Replies as no service should give them: JSON with a mistake, bodies that are cut or none at all, heads that lie."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from hypothesis import strategies as st

from qrt_async.wire.call import ReplyHead

MANY_DIGITS = "@many digits@"
"""Stands for a number of five thousand digits, which Python's own writer refuses."""


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _bomb() -> Any:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (8000000,), }"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8_000_000)
    return {"__type__": "ndarray", "__value__": base64.b64encode(zlib.compress(data)).decode()}


def _boundless() -> Any:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1048576), }"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return {"__type__": "ndarray", "__value__": base64.b64encode(zlib.compress(data)).decode()}


JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, -0.0, 0.5, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), MANY_DIGITS),
    *("", "x", "0", "-1", "1e999", "NaN", "null", "\x00", "\ud800", "²", "٣", "a" * 5000, "9" * 5000, "0xZZ", "0x"),
    *("0x" + "f" * 3000, "-0x1", "2026-02-30", "2026-09-10T12:00:00Z", "9999-12-31T23:59:59.999999-23:59"),
    *("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-10", "12:00"),
    *("https://x/v1?next=", "https://[::1", "//?next=%ff%00", "Completed", "Queued", "Of tomorrow", "SUCCESS"),
    *([], {}, [[]], [None], [1, "a"], {"a": 1}, {"message": "x"}, {"data": None}, {"": {"": []}}, _nested(60)),
    *(_nested(500), {"samples": []}, {"samples": ["0x1"], "num_bits": 10**9}, {"samples": [["0x1"], ["0x1", "0x2"]]}),
    *({"samples": ["0x1", 7]}, {"samples": [["0x1"], "0x2"], "num_bits": -1}, {"samples": "0x1"}),
    *({"__type__": "ndarray", "__value__": "eJw="}, {"__type__": "ndarray"}, {"__type__": 7, "__value__": 7}),
    *({"__type__": "datetime", "__value__": "x"}, {"__type__": "BitArray", "__value__": {"num_bits": 1}}),
    *({"__type__": "PrimitiveResult", "__value__": {"pub_results": [1]}}, {"__type__": "complex", "__value__": [1]}),
    *({"__type__": "settings", "__value__": {}, "__module__": "os", "__class__": "system"}, _bomb(), _boundless()),
)

_TEXTS = tuple(map(json.dumps, JUNK))


@attrs.frozen
class Change:
    """One change of a document: of what kind, at which of its places, and with which junk."""

    kind: str
    place: int
    junk: int


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:20]):
            yield from _places(item, (*path, index))


def changed(document: Any, change: Change) -> Any:
    """Return the document with one change."""
    places = list(_places(document))
    path = places[change.place % len(places)]
    junk = json.loads(_TEXTS[change.junk % len(JUNK)])  # a copy, since further changes may go into it
    if not path:
        return [document] if change.kind == "wrap" else junk
    owner = document
    for step in path[:-1]:
        owner = owner[step]
    _CHANGES[change.kind](owner, path[-1], junk)
    return document


def _drop(owner: Any, key: Any, _: Any) -> None:
    del owner[key]


def _replace(owner: Any, key: Any, junk: Any) -> None:
    owner[key] = junk


def _wrap(owner: Any, key: Any, _: Any) -> None:
    owner[key] = [owner[key]]


def _key(owner: Any, key: Any, junk: Any) -> None:
    owner[key] = {str(junk)[:50]: owner[key]}


def _as_text(owner: Any, key: Any, _: Any) -> None:
    owner[key] = json.dumps(owner[key])


def _add(owner: Any, key: Any, junk: Any) -> None:
    if isinstance(owner, list):
        owner.insert(key, junk)
    else:
        owner[f"{key}_"] = junk


def _repeat(owner: Any, key: Any, _: Any) -> None:
    owner[key] = [owner[key]] * 40


_CHANGES: dict[str, Callable[[Any, Any, Any], None]] = {
    "replace": _replace,
    "drop": _drop,
    "wrap": _wrap,
    "key": _key,
    "text": _as_text,
    "add": _add,
    "repeat": _repeat,
}

_WHOLE: dict[str, Callable[[bytes, int], bytes]] = {
    "as it is": lambda body, _: body,
    "cut": lambda body, n: body[: n % (len(body) + 1)],
    "a byte": lambda body, n: _struck(body, n, bytes([n % 256])),
    "inserted": lambda body, n: body[: n % (len(body) + 1)] + b'"]}' + body[n % (len(body) + 1) :],
    "twice": lambda body, _: body + body,
    "nothing": lambda _, __: b"",
    "blank": lambda _, n: b" \n\t" * (n % 50_000),
    "html": lambda _, __: b"<!DOCTYPE html><html><title>Just a\nmoment</title></html>",
    "null": lambda _, __: b"null",
    "utf-16": lambda body, _: body.decode("utf-8", "replace").encode("utf-16"),
    "utf-32": lambda body, _: body.decode("utf-8", "replace").encode("utf-32-be"),
    "bom": lambda body, _: b"\xef\xbb\xbf" + body,
    "latin-1": lambda body, _: body.replace(b'"', b'"\xe4', 3),
    "gzip": lambda body, _: gzip.compress(body),
    "brackets": lambda _, n: b"[" * (n % 200_000),
    "deep": lambda _, n: b"[" * (n % 3000) + b"]" * (n % 3000),
    "deep objects": lambda _, n: b'{"data":' * (n % 3000) + b"1" + b"}" * (n % 3000),
    "bytes": lambda _, n: bytes((n * k) % 256 for k in range(n % 300)),
    "single quotes": lambda body, _: body.replace(b'"', b"'"),
}


def _struck(body: bytes, place: int, byte: bytes) -> bytes:
    at = place % (len(body) + 1)
    return body[:at] + byte + body[at + 1 :]


_STATUS = (200, 200, 200, 200, 200, 201, 202, 204, 206, 299, 300, 302, 304, 400, 401, 403, 404, 407, 409, 413, 418,
           422, 423, 429, 451, 499, 500, 502, 503, 504, 520, 524, 599)  # fmt: skip
_RETRY_AFTER = ("0", "1", "-1", "1e999", "nan", "soon", "", "1" * 400, "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Jan",
                "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "٣", "0x10", "1_0")  # fmt: skip
_CONTENT_TYPES = ("application/json", "text/html", "", "application/json; charset=utf-7", "image/png", "\x80")


@attrs.frozen
class Damage:
    """What is wrong with a reply: its document, its body as a whole, its head, and how it arrives."""

    changes: tuple[Change, ...]
    whole: str
    n: int
    status: int
    retry_after: str | None
    content_type: str
    chunk: int

    def body(self, good: bytes) -> bytes:
        """Return a good body, damaged."""
        return _WHOLE[self.whole](self._document(good), self.n)

    def _document(self, good: bytes) -> bytes:
        if not self.changes:
            return good
        try:
            document = json.loads(good)
        except ValueError:
            return good
        for change in self.changes:
            document = changed(document, change)
        return json.dumps(document).replace(f'"{MANY_DIGITS}"', "1" * 5000).encode()

    @property
    def head(self) -> ReplyHead:
        """The reply's status and headers."""
        headers = {"content-type": self.content_type, "x-request-id": "r"}
        return ReplyHead(
            self.status, headers if self.retry_after is None else headers | {"retry-after": self.retry_after}
        )


def damages() -> st.SearchStrategy[Damage]:
    """Return the strategy that damages replies, most of them in their document alone."""
    change = st.builds(Change, st.sampled_from(sorted(_CHANGES)), st.integers(0, 5000), st.integers(0, len(JUNK) - 1))
    heads = st.sampled_from(_STATUS)
    wholes = st.sampled_from(["as it is"] * 2 * len(_WHOLE) + sorted(_WHOLE))
    return st.builds(
        Damage,
        st.lists(change, max_size=3).map(tuple),
        wholes,
        st.integers(0, 2**20),
        heads,
        st.none() | st.sampled_from(_RETRY_AFTER),
        st.sampled_from(_CONTENT_TYPES),
        st.sampled_from([1 << 20, 4096, 100, 1]),
    )
