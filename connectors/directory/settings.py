"""What an administrator may set for a directory, and what follows from it for each kind of object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from connectors.contract import Capabilities, Kind

AttributeType = Literal["str", "bool", "int", "list"]

_KINDS = frozenset(Kind) - {Kind.SCRIPT}
"""What a directory can hold."""


class DirectoryOptions(BaseModel):
    """Settings that every target on a directory shares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_name: str = Field("username", description="Attribute that names an account; required and unique.")
    group_name: str = Field("name", description="Attribute that names a group; required and unique.")
    unique: tuple[str, ...] = Field(
        (), description="Further account attributes whose values no two accounts may share, compared without case."
    )
    indexed: tuple[str, ...] = Field(
        (), description="Further account attributes that are often searched for, as correlation does."
    )
    required: tuple[str, ...] = Field((), description="Further account attributes that an account cannot be without.")
    attributes: dict[str, AttributeType] = Field(
        {}, description="Account attributes that are taken, each with its type; empty: any name, any type."
    )
    group_attributes: dict[str, AttributeType] = Field(
        {}, description="Group attributes that are taken, each with its type; empty: any name, any type."
    )
    max_lengths: dict[str, PositiveInt] = Field(
        {}, description="Longest value in characters, by account attribute; a longer one is rejected."
    )
    seats: dict[str, NonNegativeInt | None] = Field(
        {}, description="Licence products and their seats, null for unlimited; empty: any product, unlimited."
    )
    nesting: bool = Field(True, description="Groups can be in groups.")
    containers: bool = Field(True, description="Accounts and groups are placed in containers, made on demand.")
    default_container: str = Field("", description="Where an object is put for which no container is asked.")
    batch_size: PositiveInt = Field(1000, description="Most changes in one transaction.")

    def capabilities(self, *, kinds: frozenset[Kind] = _KINDS, soft_delete: bool = False) -> Capabilities:
        """What a directory with these settings can do."""
        return Capabilities(
            kinds=kinds if self.nesting else kinds - {Kind.NESTING},
            batch_size=self.batch_size,
            containers=self.containers,
            soft_delete=soft_delete,
            incremental=True,
            account_name=self.account_name,
            group_name=self.group_name,
            unique=_distinct(self.account_name, *self.unique),
            required=_distinct(self.account_name, *self.required),
            attributes=_with_name(self.attributes, self.account_name),
            group_attributes=_with_name(self.group_attributes, self.group_name),
            max_lengths=dict(self.max_lengths),
        )


class KindRules(msgspec.Struct, frozen=True):
    """What holds for the attributes of one kind of object.

    Attributes:
        unique: Attributes whose values no two live objects of the kind may share.
        indexed: Attributes that `find` looks up by index; holds all of `unique`.
        required: Attributes that may be neither missing nor empty.
        types: Type by attribute; empty: any name, any type.
        max_lengths: In characters, by attribute.
        names: Form that an attribute's name must have, or None.
        encoding: The encoding that every text must have a form in.
    """

    unique: tuple[str, ...]
    indexed: tuple[str, ...]
    required: tuple[str, ...]
    types: Mapping[str, str]
    max_lengths: Mapping[str, int] = {}
    names: re.Pattern[str] | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Profile:
    """Everything a directory needs to know of its settings.

    Attributes:
        capabilities: What it promises.
        seats: As `DirectoryOptions.seats`.
        default_container: As `DirectoryOptions.default_container`; None where there are no containers.
        indexed: As `DirectoryOptions.indexed`.
        names: Form that every attribute's name must have, or None.
        encoding: As in KindRules.
    """

    capabilities: Capabilities
    seats: Mapping[str, int | None]
    default_container: str | None
    indexed: tuple[str, ...] = ()
    names: re.Pattern[str] | None = None
    encoding: str = "utf-8"

    @cached_property
    def rules(self) -> Mapping[Kind, KindRules]:
        """The rules for accounts and for groups."""
        able = self.capabilities
        account = KindRules(
            unique=able.unique,
            indexed=_distinct(*able.unique, *self.indexed),
            required=able.required,
            types=able.attributes,
            max_lengths=able.max_lengths,
            names=self.names,
            encoding=self.encoding,
        )
        name = (able.group_name,)
        group = KindRules(
            unique=name,
            indexed=name,
            required=name,
            types=able.group_attributes,
            names=self.names,
            encoding=self.encoding,
        )
        return {Kind.ACCOUNT: account, Kind.GROUP: group}


def _distinct(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _with_name(types: Mapping[str, str], name: str) -> dict[str, str]:
    """The types asked for, with that of the naming attribute, which need not be repeated."""
    return {name: "str", **types} if types else {}
