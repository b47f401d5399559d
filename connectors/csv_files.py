"""Source `csv`: files of delimited text, one table per entry.

A table is one file, or several with the same header that are read one after another. There are no wildcards: a file
that is missing from a folder would be taken for people who have left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.contract import BadRecord, Connector, Record
from connectors.delimited import Dialect, read_header, read_rows
from connectors.errors import Unreadable
from connectors.textfiles import Encoding, TextFile, file_on_disk

Delimiter = Annotated[str, Field(pattern=r'^(auto|tab|[^"\r\n])$')]
Name = Annotated[str, Field(min_length=1)]


class CsvFile(BaseModel):
    """One table of a `csv` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Name | Annotated[list[Name], Field(min_length=1)] = Field(
        description="The file, relative to the configuration file; or a list of files with the same header."
    )
    encoding: Encoding | None = Field(None, description="Encoding of this table's files; default: the source's.")
    delimiter: Delimiter | None = Field(None, description="Delimiter of this table's files; default: the source's.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in the order they are read."""
        return (self.path,) if isinstance(self.path, str) else tuple(self.path)


def _spelled_out(value: Any) -> Any:
    """`people: people.csv` is short for `people: {path: people.csv}`."""
    return {"path": value} if isinstance(value, (str, list)) else value


Table = Annotated[CsvFile, BeforeValidator(_spelled_out, json_schema_input_type=str | list[str] | CsvFile)]


class CsvOptions(BaseModel):
    """Settings of a `csv` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, Table] = Field(
        min_length=1, description="The tables: a name of your choice, and the file (or the files) it is read from."
    )
    encoding: Encoding = Field(
        "utf-8", description="Encoding of the files (utf-8, cp1252, latin-1, …). A byte order mark wins over it."
    )
    delimiter: Delimiter = Field(
        "auto", description="One character, `tab`, or `auto`: whichever of ; , tab | occurs most in the header."
    )
    quote: str = Field('"', max_length=1, description="The character around cells that hold delimiters; '' for none.")
    strip: bool = Field(True, description="Drop white space at the beginning and the end of every cell.")


class CsvSource:
    """Reads delimited files. See `connectors.contract.Source`."""

    def __init__(self, options: CsvOptions, base: Path) -> None:
        self._options = options
        self._base = base
        self._headers: dict[str, tuple[str, ...]] = {}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the configured tables."""
        return tuple(self._options.files)

    def columns(self, table: str) -> tuple[str, ...]:
        """Column names of the table's first file."""
        if table not in self._headers:
            self._headers[table] = read_header(self._files(table)[0], self._dialect(table))
        return self._headers[table]

    def read(self, table: str) -> Iterator[Record | BadRecord]:
        """All rows of all files of the table."""
        header = self.columns(table)
        for file in self._files(table):
            yield from read_rows(file, self._dialect(table), table, header)

    def check(self) -> None:
        """Reads all headers."""
        for table in self.tables:
            header = self.columns(table)
            for file in self._files(table):
                if read_header(file, self._dialect(table)) != header:
                    raise Unreadable(f"does not have the same header as {self._files(table)[0].name}", file=file.name)

    def _files(self, table: str) -> list[TextFile]:
        settings = self._options.files[table]
        encoding = settings.encoding or self._options.encoding
        return [file_on_disk(self._base, name, encoding) for name in settings.paths]

    def _dialect(self, table: str) -> Dialect:
        word = self._options.files[table].delimiter or self._options.delimiter
        delimiter = {"auto": None, "tab": "\t"}.get(word, word)
        return Dialect(delimiter, self._options.quote or None, self._options.strip)


connector = Connector(type="csv", options=CsvOptions, open_source=CsvSource)
