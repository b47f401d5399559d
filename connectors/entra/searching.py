"""Filters for Graph, and the addresses they go to. No I/O.

https://learn.microsoft.com/graph/filter-query-parameter and https://learn.microsoft.com/graph/aad-advanced-queries
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote

from connectors.contract import Value
from connectors.entra.schema import EXTENSION_NAMES, EXTENSIONS, STRONG, Table
from connectors.errors import Rejected

MOST_VALUES = 15
"""Values in one `in (...)`: Graph takes no more terms than that in a filter."""
EVENTUAL = {"ConsistencyLevel": "eventual"}


def equals(name: str, value: object) -> str:
    """A comparison."""
    return f"{_path(name)} eq {_literal(value)}"


def any_of(name: str, values: Iterable[str]) -> str:
    """A comparison with several values."""
    return f"{_path(name)} in ({','.join(map(_literal, values))})"


def has_address(mail: str) -> str:
    """A search for who has a mail address, be it the first one or an alias."""
    return f"proxyAddresses/any(p:p eq {_literal('smtp:' + mail)})"


def address(path: str, filter_: str, select: str, *, eventual: bool = False) -> str:
    """A search's relative URL; an eventual one needs the header EVENTUAL too."""
    count = "$count=true&" if eventual else ""
    return f"{path}?{count}$filter={quote(filter_, safe='')}&$select={select}"


def search(table: Table, path: str, wanted: Mapping[str, Value], select: str) -> tuple[str, Mapping[str, str]] | None:
    """URL and headers of a search for what has all these values; None where nothing can have them.

    Raises:
        Rejected: An attribute is unknown, or cannot be searched for.
    """
    terms: list[str] = []
    for name, value in wanted.items():
        if name not in table.attributes:
            raise Rejected(f"'{name}' is no attribute of this target's {table.kind}s", name)
        attribute = table.attributes[name]
        if isinstance(value, list) or value is None or attribute.type == "list" or attribute.apart:
            raise Rejected(f"'{name}' cannot be searched for here", name)
        if value == "":
            return None
        terms.append(equals(name, value))
    eventual = not STRONG.issuperset(wanted)
    url = address(path, " and ".join(terms), select, eventual=eventual)
    return url, EVENTUAL if eventual else {}


def has_all(found: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    """Whether an object has all these values, whatever the case."""
    return all(_folded(found.get(name)) == _folded(value) for name, value in wanted.items())


def chunks(values: Collection[str]) -> list[list[str]]:
    """Values in portions that a filter takes."""
    every = list(values)
    return [every[start : start + MOST_VALUES] for start in range(0, len(every), MOST_VALUES)]


def _path(name: str) -> str:
    return f"{EXTENSIONS}/{name}" if name in EXTENSION_NAMES else name


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
