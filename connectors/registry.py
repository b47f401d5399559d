"""Finds connectors by their entry points, loading only those that are named."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.contract import Connector

GROUP = "eadm_sync.connectors"


class UnknownConnector(LookupError):
    """No installed package offers this type; `type` as asked for, `known` what there is."""

    def __init__(self, type_: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no connector of type '{type_}'")
        self.type = type_
        self.known = known


class ConnectorNotInstalled(LookupError):
    """The connector exists, but a package it needs does not; `extra` is what to install."""

    def __init__(self, type_: str, missing: str) -> None:
        super().__init__(f"connector '{type_}' needs the package '{missing}': install eadm-sync[{type_}]")
        self.type = type_
        self.missing = missing


def known_types() -> tuple[str, ...]:
    """All types that configuration may name, sorted; loads none of them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@cache
def load(type_: str) -> Connector:
    """The connector of one type.

    Raises:
        UnknownConnector: Nobody offers it.
        ConnectorNotInstalled: Its driver is not installed.
    """
    point = _own(type_) or next(iter(entry_points(group=GROUP, name=type_)), None)
    if point is None:
        raise UnknownConnector(type_, known_types())
    try:
        connector: Connector = point.load()
    except ModuleNotFoundError as error:
        raise ConnectorNotInstalled(type_, error.name or "?") from error
    return connector


def _own(type_: str) -> EntryPoint | None:
    """One that comes with the program: to find it, the list of no other package is read."""
    try:
        own = distribution("eadm-sync").entry_points
    except PackageNotFoundError:
        return None
    return next(iter(own.select(group=GROUP, name=type_)), None)
