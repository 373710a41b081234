"""Credentials of both platforms, good and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import jwt
import pytest

from qrt_async.emulator.serving import listen
from qrt_async.emulator.settings import Settings
from qrt_async.emulator.world import World
from tests.emulator.service import CRN, HandClock, HeldPool

if TYPE_CHECKING:
    from qrt_async.emulator.devices import Device
    from tests.emulator.service import Bench, Service

GRANT = "urn:ibm:params:oauth:grant-type:apikey"


async def legacy_token(bench: Bench, key: str = "my key") -> str:
    """Log in on LEGACY and give the access token."""
    answer = await bench.bare.post("/api/users/loginWithToken", json={"apiToken": key})
    assert answer.status == 200
    token: str = answer.json["id"]
    return token


async def bearer(bench: Bench, key: str = "my key") -> str:
    """Log in with IAM and give the bearer token."""
    answer = await bench.bare.post("/identity/token", data={"grant_type": GRANT, "apikey": key})
    assert answer.status == 200
    token: str = answer.json["access_token"]
    return token


async def test_legacy_login_gives_token(bench: Bench) -> None:
    """A LEGACY login answers with a token, its lifetime, its date and the user."""
    answer = await bench.bare.post("/api/users/loginWithToken", json={"apiToken": "my key"})

    assert answer.status == 200
    assert set(answer.json) == {"id", "ttl", "created", "userId"}
    assert answer.json["ttl"] == 1209600
    assert answer.json["created"] == "2026-09-10T18:44:00.123Z"


@pytest.mark.parametrize("body", [{"apiToken": "bad key"}, {"apiToken": ""}, {"apiToken": 3}, {}, []])
async def test_legacy_login_failed(bench: Bench, body: object) -> None:
    """A key that is bad, empty, no text or missing gets 401 in LoopBack's shape."""
    answer = await bench.bare.post("/api/users/loginWithToken", json=body)

    assert answer.status == 401
    assert answer.json == {"error": {"statusCode": 401, "name": "Error", "message": "Login failed.", "code": "3446"}}


async def test_legacy_login_not_json(bench: Bench) -> None:
    """A login body that is no JSON gets 400 in LoopBack's shape."""
    answer = await bench.bare.post("/api/users/loginWithToken", data=b"{")

    assert answer.status == 400
    assert answer.json["error"]["statusCode"] == 400


async def test_legacy_logout_ends_token(bench: Bench) -> None:
    """After a logout (200, no text) the token gets 401 everywhere, from a second logout too."""
    token = {"x-access-token": await legacy_token(bench)}
    before = await bench.bare.get("/runtime/backends", headers=token)

    logout = await bench.bare.post("/api/users/logout", headers=token)
    after = await bench.bare.get("/runtime/backends", headers=token)
    again = await bench.bare.post("/api/users/logout", headers=token)

    assert before.status == 200
    assert (logout.status, logout.body) == (200, b"")
    assert (after.status, after.code) == (401, 1201)
    assert "trace" not in after.json
    assert again.status == 401
    assert again.json["error"]["statusCode"] == 401


@pytest.mark.parametrize("headers", [{}, {"x-access-token": "an API token"}])
async def test_legacy_logout_needs_access_token(bench: Bench, headers: dict[str, str]) -> None:
    """A logout without a live access token gets 401: an API token cannot be logged out."""
    assert (await bench.bare.post("/api/users/logout", headers=headers)).status == 401


async def test_legacy_token_expires(bench: Bench) -> None:
    """An access token lives 14 days and no longer."""
    token = {"x-access-token": await legacy_token(bench)}

    bench.clock.advance(1209600 - 1)
    alive = await bench.bare.get("/runtime/backends", headers=token)
    bench.clock.advance(1)
    expired = await bench.bare.get("/runtime/backends", headers=token)

    assert alive.status == 200
    assert expired.status == 401


async def test_legacy_credential_forms(bench: Bench) -> None:
    """The runtime takes an access token or the API token itself, in either header, as the same user."""
    token = await legacy_token(bench, "my key")
    owner = bench.legacy.under(x_access_token="my key")
    job_id = await owner.submit()

    for headers in (
        {"x-access-token": token},
        {"x-access-token": "my key"},
        {"Authorization": f"Bearer {token}"},
        {"Authorization": "Bearer my key"},
    ):
        answer = await bench.bare.get(f"/runtime/jobs/{job_id}", headers=headers)
        assert answer.status == 200, headers


@pytest.mark.parametrize("headers", [{}, {"x-access-token": "bad key"}, {"Authorization": "apikey k"}])
async def test_legacy_runtime_refuses(bench: Bench, headers: dict[str, str]) -> None:
    """The LEGACY runtime answers 401 and code 1201 to a missing, bad or misplaced credential."""
    answer = await bench.bare.get("/runtime/backends", headers=headers)

    assert (answer.status, answer.code) == (401, 1201)


async def test_iam_token_decodes(bench: Bench) -> None:
    """IAM's token is a JWT with whole-number iat and exp, an hour apart, in line with the rest of the reply."""
    answer = await bench.bare.post("/identity/token", data={"grant_type": GRANT, "apikey": "my key"})

    reply = answer.json
    claims = jwt.decode(reply["access_token"], options={"verify_signature": False, "verify_exp": False})
    assert answer.status == 200
    assert reply["token_type"] == "Bearer"
    assert reply["expires_in"] == 3600
    assert isinstance(claims["iat"], int)
    assert claims["exp"] == reply["expiration"] == claims["iat"] + 3600
    assert claims["iat"] == int(bench.clock.now().timestamp())


async def test_iam_bearer_and_key_are_one_user(bench: Bench) -> None:
    """A bearer token and the API key it came from see the same jobs."""
    job_id = await bench.cloud.under(Authorization="apikey my key").submit()

    answer = await bench.cloud.under(Authorization=f"Bearer {await bearer(bench)}").get(f"/jobs/{job_id}")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"grant_type": GRANT, "apikey": "bad key"}, "BXNIM0415E"),
        ({"grant_type": GRANT, "apikey": ""}, "BXNIM0109E"),
        ({"grant_type": GRANT}, "BXNIM0109E"),
        ({"grant_type": "password", "apikey": "k"}, "BXNIM0109E"),
        ({"apikey": "k"}, "BXNIM0109E"),
    ],
)
async def test_iam_refuses(bench: Bench, form: dict[str, str], code: str) -> None:
    """IAM answers 400 in its own shape to a bad, empty or missing key and to another grant."""
    answer = await bench.bare.post("/identity/token", data=form)

    assert answer.status == 400
    assert answer.json["errorCode"] == code
    assert answer.json["errorMessage"]
    assert answer.json["context"]["requestId"]


async def test_iam_bearer_expires(bench: Bench) -> None:
    """A bearer token lives one hour and no longer."""
    caller = bench.cloud.under(Authorization=f"Bearer {await bearer(bench)}")

    bench.clock.advance(3599)
    alive = await caller.get("/backends")
    bench.clock.advance(1)
    expired = await caller.get("/backends")

    assert alive.status == 200
    assert (expired.status, expired.code) == (401, 1201)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer my key", "apikey bad key", "Basic eDp5"])
async def test_cloud_refuses_credential(cloud: Service, value: str) -> None:
    """IBM_QUANTUM takes its own bearer tokens and good keys only: an API key is no bearer token."""
    answer = await cloud.get("/backends", headers={"Authorization": value})

    assert (answer.status, answer.code) == (401, 1201)
    assert answer.json["trace"]


@pytest.mark.parametrize("crn", ["", "nonsense", CRN.replace("crn:v1", "crn:v2"), CRN[:-1]])
async def test_cloud_refuses_crn(cloud: Service, crn: str) -> None:
    """A Service-CRN that is missing or no CRN gets 400 and code 1241."""
    answer = await cloud.get("/backends", headers={"Service-CRN": crn})

    assert (answer.status, answer.code) == (400, 1241)


async def test_listed_keys_only(snapshots: dict[str, Device]) -> None:
    """With keys given, these are good, even one that begins with "bad", and all others are not."""
    world = World(snapshots, HeldPool(), settings=Settings(api_keys=("badger",)), clock=HandClock())
    async with listen(world) as url, aiohttp.ClientSession(url) as http:
        for key, status in (("badger", 200), ("another", 401)):
            async with http.post("/api/users/loginWithToken", json={"apiToken": key}) as reply:
                assert reply.status == status
            async with http.get("/transpile/x", headers={"Authorization": f"Bearer {key}"}) as reply:
                assert reply.status == status
            async with http.get("/runtime/backends", headers={"x-access-token": key}) as reply:
                assert reply.status == status
