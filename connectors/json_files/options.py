"""Settings of a `json` source."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connectors.textfiles import Encoding

Name = Annotated[str, Field(min_length=1)]


class JsonTable(BaseModel):
    """One table of a `json` source: from a file, or from within the records of another table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Name | None = Field(None, description="The file, relative to the configuration file.")
    within: Name | None = Field(None, description="The table in whose records this table's array stands.")
    items: str = Field(
        "", description="Dotted path of the array of records (`data.persons`); default: the document is the array."
    )
    format: Literal["auto", "document", "lines"] = Field(
        "auto", description="One JSON document, or one record per line; auto: lines for .jsonl and .ndjson."
    )
    columns: list[Name] | None = Field(
        None, description="The fields to read, all others are dropped; default: found by reading the file once more."
    )
    encoding: Encoding | None = Field(None, description="Encoding of this file; default: the source's.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.within is None):
            raise ValueError("either `path` or `within` is needed, not both")
        if self.within is not None and not self.items:
            raise ValueError("`within` needs `items`: where the array stands in the other table's records")
        if self.lines and self.items:
            raise ValueError("`items` means nothing where every line is a record")
        return self

    @property
    def lines(self) -> bool:
        """Whether every line of the file is a record."""
        if self.format == "auto":
            return self.path is not None and self.path.lower().endswith((".jsonl", ".ndjson"))
        return self.format == "lines"


def _spelled_out(value: Any) -> Any:
    """`people: people.json` is short for `people: {path: people.json}`."""
    return {"path": value} if isinstance(value, str) else value


class JsonOptions(BaseModel):
    """Settings of a `json` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, Annotated[JsonTable, BeforeValidator(_spelled_out, json_schema_input_type=str | JsonTable)]] = (
        Field(min_length=1, description="The tables: a name of your choice, and where its records are.")
    )
    encoding: Encoding = Field("utf-8", description="Encoding of the files. A byte order mark wins over it.")
    strip: bool = Field(True, description="Drop white space at the beginning and the end of every value.")

    @model_validator(mode="after")
    def _rooted(self) -> Self:
        for name, table in self.files.items():
            seen = {name}
            while table.within is not None:
                if table.within not in self.files:
                    raise ValueError(f"`within: {table.within}` names no table")
                if table.within in seen:
                    raise ValueError(f"table '{name}' stands within itself")
                seen.add(table.within)
                table = self.files[table.within]  # noqa: PLW2901 - walks up to the table that has a file
        return self
