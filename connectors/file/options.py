"""Settings of the target `file`."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, NonNegativeFloat, field_validator, model_validator

from connectors.directory.settings import DirectoryOptions


class FileOptions(DirectoryOptions):
    """Settings of the target `file`."""

    path: str = Field(description="The folder that files are put in; a journal is kept there too.")
    format: Literal["csv", "jsonl", "ldif"] = Field("csv", description="Form of the files.")
    mode: Literal["full", "changes"] = Field(
        "full",
        description="`full`: files that hold everything, replaced when something has changed. `changes`: a new numbered"
        " file for every batch, with what it changed.",
    )
    columns: tuple[str, ...] = Field(
        (), description="csv: account attributes in the order of their columns; empty: all there are, sorted."
    )
    group_columns: tuple[str, ...] = Field((), description="csv: likewise for groups.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="csv: what stands between two cells.")
    list_separator: str = Field(
        "|", min_length=1, max_length=1, description="csv: what stands between the values of a list."
    )
    encoding: str = Field("utf-8", description="csv: encoding; a value that it cannot express is rejected.")
    escape_formulas: bool = Field(
        True, description="csv: put ' before a cell that a spreadsheet would take for a formula (= + - @, tab, return)."
    )
    base_dn: str | None = Field(None, description="ldif: where objects are put for which no container is asked.")
    account_classes: tuple[str, ...] = Field(("inetOrgPerson",), description="ldif: objectClass of accounts.")
    group_classes: tuple[str, ...] = Field(
        ("groupOfMembers",), description="ldif: objectClass of groups; groupOfNames does not take empty groups."
    )
    enabled_attribute: str = Field("enabled", description="ldif: attribute that is FALSE for a disabled account.")
    render_delay_seconds: NonNegativeFloat = Field(
        5, description="full: the most that the files are behind what was delivered, while the target is open."
    )

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError as error:
            raise ValueError("is not an encoding that Python knows") from error

    @model_validator(mode="after")
    def _has_base(self) -> FileOptions:
        if self.format == "ldif" and not self.base_dn:
            raise ValueError("`format: ldif` needs `base_dn`")
        return self
