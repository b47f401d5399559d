"""What all models of the configuration have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class ConfigModel(BaseModel):
    """A frozen model that refuses unknown keys. Its repr names the settings that were given, and no value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Names only: any value may be a secret."""
        return ((None, _Word(name)) for name in sorted(self.model_fields_set))


class _Word(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
