"""Which instances an API key can use: IBM Cloud's search and its catalogue of plans."""

from __future__ import annotations

from typing import Any

import attrs

from qrt_async.models.usage import InstanceOffer
from qrt_async.wire.call import Call, Host, Reply, buffered, json_body, path, query
from qrt_async.wire.outcome import read_as

_FIELDS = ("crn", "service_plan_unique_id", "name", "doc", "tags")


@attrs.frozen
class _Doc:
    extensions: dict[str, Any] | None = None


@attrs.frozen
class _Item:
    crn: str
    name: str | None = None
    service_plan_unique_id: str | None = None
    doc: _Doc | None = None
    tags: tuple[str, ...] | None = None


@attrs.frozen
class _Found:
    items: tuple[_Item, ...] = ()
    search_cursor: str | None = None


@attrs.frozen
class _Name:
    display_name: str | None = None


@attrs.frozen
class _Names:
    en: _Name | None = None


@attrs.frozen
class _Pricing:
    type: str | None = None


@attrs.frozen
class _Metadata:
    pricing: _Pricing | None = None


@attrs.frozen
class _Entry:
    overview_ui: _Names | None = None
    metadata: _Metadata | None = None


@attrs.frozen
class FoundInstance:
    """An instance as the search gives it: its plan by id alone."""

    offer: InstanceOffer
    plan_id: str | None


@attrs.frozen
class FoundPage:
    """One page of instances; without a cursor it is the last."""

    instances: tuple[FoundInstance, ...]
    cursor: str | None


@attrs.frozen
class Plan:
    """A plan of the catalogue: its name and who pays how, in lower case."""

    name: str | None = None
    pricing: str | None = None


def search(cursor: str | None = None) -> Call[FoundPage]:
    """``POST /v3/resources/search`` of IBM Cloud: quantum instances; one without an allocation is of no use."""

    def read(reply: Reply) -> FoundPage:
        found = read_as(_Found, reply, operation="instances.search")
        usable = (item for item in found.items if item.doc and item.doc.extensions)
        return FoundPage(tuple(_instance(item) for item in usable), found.search_cursor or None)

    body = {"query": "service_name:quantum-computing", "fields": list(_FIELDS)}
    return Call(
        operation="instances.search",
        method="POST",
        host=Host.SEARCH,
        path="/v3/resources/search",
        query=query([("limit", 100)]),
        body=json_body(body | ({"search_cursor": cursor} if cursor else {})),
        read=buffered(read),
    )


def _instance(item: _Item) -> FoundInstance:
    return FoundInstance(InstanceOffer(crn=item.crn, name=item.name, tags=item.tags or ()), item.service_plan_unique_id)


def plan(plan_id: str) -> Call[Plan]:
    """``GET /api/v1/{plan id}`` of IBM Cloud's catalogue, which refuses plans that are sold no more (403)."""

    def read(reply: Reply) -> Plan:
        found = read_as(_Entry, reply, operation="instances.plan")
        names, metadata = found.overview_ui or _Names(), found.metadata or _Metadata()
        name = (names.en or _Name()).display_name
        pricing = (metadata.pricing or _Pricing()).type
        return Plan(name.lower() if name else None, pricing.lower() if pricing else None)

    return Call(
        operation="instances.plan",
        method="GET",
        host=Host.CATALOG,
        path=path("api", "v1", plan_id),
        read=buffered(read),
    )
