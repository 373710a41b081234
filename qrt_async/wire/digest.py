"""What two submissions have in common when they ask for the same: a digest of what would be sent."""

from __future__ import annotations

import binascii
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

from qrt_async.errors import UsageError
from qrt_async.models.pubs import EstimatorPub, SamplerPub
from qrt_async.wire import json_pieces, primitives, typed_encoding

_MOST = 2**30


def pub_digest(pub: SamplerPub | EstimatorPub) -> str:
    """
    Return the SHA-256, in hexadecimal, of what a checked PUB would send.

    It is the same in every process, and whichever compressor packed the arrays and circuits.

    Raises:
        UsageError: the PUB holds a value that cannot be sent.

    """
    if isinstance(pub, SamplerPub):
        return params_digest(primitives.sampler_params([pub], None))
    return params_digest(primitives.estimator_params([pub], None))


def params_digest(params: Mapping[str, Any]) -> str:
    """
    Return the SHA-256, in hexadecimal, of a job's `params`, whatever the order of their keys.

    Raises:
        UsageError: a value cannot be sent.

    """
    found = hashlib.sha256()
    try:
        for piece in json_pieces.pieces(_inflated(typed_encoding.encode(params)), sort_keys=True):
            found.update(piece)
    except ValueError as error:
        raise UsageError(f"the params hold what JSON cannot: {error}") from error
    return found.hexdigest()


def _inflated(value: Any) -> Any:
    """Return JSON with the content of compressed payloads in their place: the same content packs in many ways."""
    if isinstance(value, list):
        return [_inflated(item) for item in value]
    if not isinstance(value, dict):
        return value
    members: dict[str, Any] = {key: _inflated(item) for key, item in value.items()}
    payload = members.get("__value__")
    if "__type__" in members and isinstance(payload, str):
        members["__value__"] = _content(payload)
    return members


def _content(payload: str) -> str:
    try:
        inflated = zlib.decompressobj().decompress(binascii.a2b_base64(payload, strict_mode=True), _MOST)
    except (ValueError, zlib.error):
        return payload
    return hashlib.sha256(inflated).hexdigest()
