"""From a file's own columns to the canonical ones: case, older names, order, and the form of the values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter

import msgspec

from connectors.contract import BadRecord, Record
from connectors.delimited import Dialect, read_header, read_rows
from connectors.errors import Unreadable
from connectors.oneroster.format import TABLES, status
from connectors.textfiles import TextFile

DIALECT = Dialect()  # the standard says comma and double quote; real exports use other delimiters too


class Layout(msgspec.Struct, frozen=True):
    """How one file's rows become canonical ones.

    Attributes:
        table: Its table.
        file: The file.
        header: Its own column names.
        columns: The canonical columns, then those of its own that the standard does not know.
        places: For each of `columns` its place in the file's rows; the place behind the last where it has none.
        tidied: Places in `columns`, and how their values are tidied.
    """

    table: str
    file: TextFile
    header: tuple[str, ...]
    columns: tuple[str, ...]
    places: tuple[int, ...]
    tidied: tuple[tuple[int, Callable[[str], str]], ...]

    def rows(self) -> Iterator[Record | BadRecord]:
        """All rows in canonical columns, those that are marked as gone included.

        Raises:
            Unreadable: As `connectors.delimited.read_rows`.
        """
        pick = _picker(self.places, len(self.header))
        for row in read_rows(self.file, DIALECT, self.table, self.header):
            if isinstance(row, BadRecord):
                yield self._renamed(row)
                continue
            values = pick(row.values)
            for place, tidy in self.tidied:
                cell = values[place]
                if cell and (tidied := tidy(cell)) != cell:
                    values = (*values[:place], tidied, *values[place + 1 :])
            yield row if values is row.values else Record(self.table, values, row.file, row.line)

    def _renamed(self, row: BadRecord) -> BadRecord:
        names = {self.header[place]: name for name, place in self._placed() if place < len(self.header)}
        values = {names[name]: value for name, value in row.values.items()}
        return msgspec.structs.replace(row, column=row.column and names[row.column], values=values)

    def _placed(self) -> Iterator[tuple[str, int]]:
        return zip(self.columns, self.places, strict=True)


def layout_of(table: str, file: TextFile) -> Layout:
    """Reads the file's header.

    Raises:
        Unreadable: As `connectors.delimited.read_header`; or a required column is missing.
    """
    form = TABLES[table]
    header = read_header(file, DIALECT)
    places = _places(table, header, file.name)
    missing = [name for name in form.required if name not in places]
    if missing:
        raise Unreadable(f"has no column {', '.join(missing)}", file=file.name, line=1)
    unknown = [name for place, name in enumerate(header) if place not in places.values()]
    columns = (*form.columns, *unknown)
    tidied = {"status": status, **form.tidied}
    return Layout(
        table=table,
        file=file,
        header=header,
        columns=columns,
        places=tuple(places[name] if name in places else _own(header, name) for name in columns),
        tidied=tuple((columns.index(name), tidy) for name, tidy in tidied.items()),
    )


def _picker(places: tuple[int, ...], width: int) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Chooses a row's values by their places; those behind its `width` are empty.

    Exports in the standard's own order, as most are, need nothing chosen: at most empty values are put behind.
    """
    if places == tuple(min(place, width) for place in range(len(places))):
        empty = ("",) * (len(places) - width)
        return lambda values: values + empty
    pick = itemgetter(*places)
    return lambda values: pick((*values, ""))


def _own(header: tuple[str, ...], name: str) -> int:
    return header.index(name) if name in header else len(header)


def _places(table: str, header: tuple[str, ...], file: str) -> dict[str, int]:
    """Where the canonical columns stand; an older name counts only where the canonical one is missing."""
    form = TABLES[table]
    canonical = {name.lower(): name for name in form.columns}
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        known = canonical.get(name.lower())
        if known is not None and known in places:
            raise Unreadable(f"has the column '{known}' twice: columns {places[known] + 1} and {place + 1}", file=file)
        if known is not None:
            places[known] = place
    for place, name in enumerate(header):
        known = form.aliases.get(name.lower())
        if known is not None and known not in places:
            places[known] = place
    return places
