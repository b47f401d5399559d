"""Settings of the target `embedded`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator

from connectors.contract import Action, Kind, PasswordRules
from connectors.directory.settings import DirectoryOptions

FaultKind = Literal["throttled", "unavailable", "transient", "rejected", "lost_answer"]


class Fault(BaseModel):
    """One way in which the target shall fail, counted over the operations that it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind = Field(
        description="`throttled`, `unavailable`: the batch breaks off before the operation. `lost_answer`: it is"
        " carried out, then the target is unavailable. `transient`, `rejected`: this operation alone fails."
    )
    every: PositiveInt | None = Field(None, description="Strikes each n-th operation it is about.")
    operations: tuple[PositiveInt, ...] = Field(
        (), description="Strikes these operations, counted from 1 over the life of the file, repeats included."
    )
    action: Action | None = Field(None, description="Is about operations with this action only.")
    object_kind: Kind | None = Field(None, description="Is about operations on this kind of object only.")
    retry_after_seconds: NonNegativeFloat | None = Field(None, description="When the target asks to be tried again.")

    @model_validator(mode="after")
    def _has_a_moment(self) -> Fault:
        if (self.every is None) == (not self.operations):
            raise ValueError("a fault needs either `every` or `operations`")
        return self


class Faults(BaseModel):
    """How the target shall misbehave; the same over any number of processes, since the counts are kept in its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fail: tuple[Fault, ...] = Field((), description="Failures; of several that strike one operation, the first counts.")
    latency_ms: NonNegativeFloat = Field(0, description="Milliseconds that each batch takes longer.")


class EmbeddedOptions(DirectoryOptions):
    """Settings of the target `embedded`."""

    path: str = Field(description="The SQLite file; made, with its folder, when something is first written.")
    soft_delete: bool = Field(True, description="A deleted account goes to a recycle bin and can be restored from it.")
    anchors: Literal["random", "counted"] = Field(
        "random", description="`random`: UUIDs. `counted`: the same on every run, for rehearsals and tests."
    )
    passwords: bool = Field(
        False,
        description="Accounts take passwords. That one was given is kept, the password is not: nobody can sign in.",
    )
    password_min_length: PositiveInt = Field(
        8, description="Fewest characters of a password; a shorter one is rejected."
    )
    password_min_classes: int = Field(
        3,
        ge=0,
        le=4,
        description="Of lower case, upper case, digits and other characters, so many have to be in a password.",
    )
    world_readable: tuple[str, ...] = Field(
        (), description="Account attributes that everybody could read if this were a real directory; for rehearsals."
    )
    refuses_national_ids: bool = Field(
        False, description="No rule may put a national id into it in clear, as for services outside; for rehearsals."
    )
    protected_by: str | None = Field(
        None,
        description="Accounts and groups in which this attribute holds anything but nothing, 0 and false are protected,"
        " as `adminCount` has it in Active Directory; for rehearsals.",
    )
    faults: Faults = Field(Faults(), description="Failures to rehearse.")

    @property
    def password_rules(self) -> PasswordRules:
        """What a password has to be like."""
        return PasswordRules(
            min_length=self.password_min_length, min_classes=self.password_min_classes, avoids_names=True
        )
