"""Limits of the configuration: how much may change before somebody has looked (`brakes:`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eadm_sync.config.base import ConfigModel, Count, Fraction


class SliceLimit(ConfigModel):
    """How much may change at once in a part of what there is before that part is held by itself."""

    max: Count | None = Field(None, description="At most this many at once; null for no such limit.")
    max_fraction: Fraction | None = Field(
        None, description="At most this share (0-1) of what the part held before; null for no such limit."
    )
    floor: Count = Field(0, description="This many are never too many for `max_fraction`.")
    min_population: Count = Field(
        20, description="Parts that held fewer than this are not judged by themselves, only with all others."
    )

    @property
    def is_set(self) -> bool:
        """Whether it limits anything."""
        return self.max is not None or self.max_fraction is not None


_WHOLE = SliceLimit()


_HALF = SliceLimit(max_fraction=0.5, floor=10)


class ImportParts(ConfigModel):
    """When those who are missing from a part of a source are held by themselves, and the rest goes on."""

    unit: SliceLimit = Field(_HALF, description="Each unit with everything below it, such as a school. Default: 50 %.")
    affiliation: SliceLimit = Field(
        _HALF, description="Each kind of affiliation, such as all substitutes. Default: 50 %."
    )

    def limit(self, by: str) -> SliceLimit | None:
        """The limit on parts of one sort, or None where there is none."""
        limit: SliceLimit = getattr(self, by)
        return limit if limit.is_set else None


class ImportBrake(ConfigModel):
    """When what a source says is not believed: people stay as they were until somebody looks.

    Absences are held when more vanish than `max_vanished` (where it is set), or more than the greater of `floor` and
    `max_vanished_fraction` of those the source had; and always when everybody vanishes.
    """

    max_vanished: Count | None = Field(
        None, description="At most this many people may vanish from the source at once; null for no such limit."
    )
    max_vanished_fraction: Fraction = Field(
        0.05, description="At most this share (0-1) of the source's people may vanish at once; 0.05 is 5 %."
    )
    floor: Count = Field(
        3, description="This many may always vanish, whatever their share; but never all the people of a source."
    )

    two_person: bool | None = Field(
        None, description="Whether a second person has to confirm a release of it; null: as `brakes.two_person` says."
    )
    by: ImportParts = Field(ImportParts(), description="Limits on those missing from parts of the source.")
    new: SliceLimit = Field(
        _WHOLE, description="People whom the source did not have before; held ones wait. Default: no limit."
    )
    changed: SliceLimit = Field(
        _WHOLE, description="Known people whose record differs; held ones stay as they were. Default: no limit."
    )
    anomalous: SliceLimit = Field(
        SliceLimit(max_fraction=0.01, floor=3),
        description="Known people who would be another human being by name and date of birth. Each is left out anyway; "
        "beyond this limit, all changed records are held. Default: 1 % (0.01), floor 3.",
    )

    def holds(self, vanished: int, population: int) -> bool:
        """Whether so many absences, of so many people that the source had before, are held."""
        return vanished > self.allowed(population)

    def allowed(self, population: int) -> int:
        """The most people that may vanish of so many."""
        allowed = max(self.floor, int(self.max_vanished_fraction * population + 1e-9))
        if self.max_vanished is not None:
            allowed = min(allowed, self.max_vanished)
        return min(allowed, max(population - 1, 0))


class SliceLimits(ConfigModel):
    """Limits on parts of what a target has: what passes one is held by itself, and the rest goes on."""

    unit: SliceLimit = Field(
        _WHOLE, description="Each unit with everything below it; a person is where their winning affiliation is."
    )
    affiliation: SliceLimit = Field(_WHOLE, description="Each kind of affiliation, by the person's winning one.")
    rule: SliceLimit = Field(_WHOLE, description="Each rule: what it gave, or gives.")

    def limit(self, by: str) -> SliceLimit | None:
        """The limit on parts of one sort, or None where there is none."""
        limit: SliceLimit = getattr(self, by)
        return limit if limit.is_set else None


_UNDIVIDED = SliceLimits()


class Limit(ConfigModel):
    """How much may change in one run before the whole slice (target, kind and action) is held."""

    max: Count | None = Field(None, description="At most this many changes in one run; null for no such limit.")
    max_fraction: Fraction | None = Field(
        None,
        description="At most this share (0-1) of the objects of that kind in the target; null for no such limit.",
    )
    floor: Count = Field(0, description="This many changes are never too many for `max_fraction`.")
    two_person: bool | None = Field(
        None, description="Whether a second person has to confirm a release of it; null: as `brakes.two_person` says."
    )
    by: SliceLimits = Field(
        _UNDIVIDED, description="Limits on parts: each unit, each kind of affiliation, each rule (groups: rules only)."
    )


FREE = Limit()
"""No limit."""


class AccountLimits(ConfigModel):
    """Limits on accounts."""

    create: Limit = Field(FREE, description="New accounts. Default: no limit.")
    update: Limit = Field(FREE, description="Changed attributes and moves. Default: no limit.")
    enable: Limit = Field(FREE, description="Accounts that are enabled again. Default: no limit.")
    disable: Limit = Field(FREE, description="Disabled accounts. Default: 5 % (0.05), floor 10; by part: 50 %.")
    delete: Limit = Field(FREE, description="Deleted accounts. Default: 2 % (0.02), floor 5; by part: 50 %.")
    restore: Limit = Field(FREE, description="Accounts taken back from a recycle bin. Default: no limit.")
    adopt: Limit = Field(FREE, description="Accounts taken under management. Default: no limit.")


class GroupLimits(ConfigModel):
    """Limits on groups."""

    create: Limit = Field(FREE, description="New groups. Default: no limit.")
    update: Limit = Field(FREE, description="Changed attributes and moves. Default: no limit.")
    delete: Limit = Field(FREE, description="Deleted groups. Default: 5 % (0.05), floor 5.")
    adopt: Limit = Field(FREE, description="Groups taken under management. Default: no limit.")


class MembershipLimits(ConfigModel):
    """Limits on memberships."""

    create: Limit = Field(FREE, description="New memberships. Default: no limit.")
    delete: Limit = Field(FREE, description="Ended memberships. Default: 20 % (0.2), floor 50; by part: 50 %.")


class NestingLimits(ConfigModel):
    """Limits on groups in groups."""

    create: Limit = Field(FREE, description="Groups put into groups. Default: no limit.")
    delete: Limit = Field(FREE, description="Groups taken out of groups. Default: 10 % (0.1), floor 10.")


class LicenceLimits(ConfigModel):
    """Limits on licences."""

    create: Limit = Field(FREE, description="Licences given. Default: no limit.")
    delete: Limit = Field(FREE, description="Licences taken. Default: 10 % (0.1), floor 20; by part: 50 %.")


class ScriptLimits(ConfigModel):
    """Limits on scripts, by the change to an account that they follow; `update` is a rename."""

    create: Limit = Field(FREE, description="After new accounts, or for existing ones. Default: no limit.")
    update: Limit = Field(FREE, description="After renames. Default: no limit.")
    enable: Limit = Field(FREE, description="After enabling. Default: no limit.")
    disable: Limit = Field(FREE, description="After disabling. Default: no limit beside that on accounts.")
    delete: Limit = Field(FREE, description="After deletion. Default: no limit beside that on accounts.")
    restore: Limit = Field(FREE, description="After accounts were taken back from a recycle bin. Default: no limit.")


class PlanBrake(ConfigModel):
    """Limits on what may change in a target, by kind and action.

    A limit that is given in part keeps the rest of its default.
    """

    account: AccountLimits = Field(AccountLimits(), description="Limits on accounts.")
    group: GroupLimits = Field(GroupLimits(), description="Limits on groups.")
    membership: MembershipLimits = Field(MembershipLimits(), description="Limits on memberships.")
    nesting: NestingLimits = Field(NestingLimits(), description="Limits on groups in groups.")
    licence: LicenceLimits = Field(LicenceLimits(), description="Limits on licences.")
    script: ScriptLimits = Field(ScriptLimits(), description="Limits on scripts run after changes to accounts.")

    def limit(self, kind: str, action: str) -> Limit | None:
        """What was configured for one slice, or None where that kind has no such action."""
        limit: Limit | None = getattr(getattr(self, kind, None), action, None)
        return limit


def _halves(floor: int) -> SliceLimits:
    """Half of a unit, of those with a kind of affiliation, or of what a rule gave: more is rarely one day's work."""
    half = SliceLimit(max_fraction=0.5, floor=floor)
    return SliceLimits(unit=half, affiliation=half, rule=half)


DEFAULT_LIMITS = {
    ("account", "disable"): Limit(max_fraction=0.05, floor=10, by=_halves(10)),
    ("account", "delete"): Limit(max_fraction=0.02, floor=5, by=_halves(5)),
    ("group", "delete"): Limit(max_fraction=0.05, floor=5),
    ("membership", "delete"): Limit(max_fraction=0.2, floor=50, by=_halves(50)),
    ("nesting", "delete"): Limit(max_fraction=0.1, floor=10),
    ("licence", "delete"): Limit(max_fraction=0.1, floor=20, by=_halves(20)),
}
"""What takes something away is limited unless configured otherwise; what gives is not."""


class DriftBrake(ConfigModel):
    """When what `reconcile` reads of a target is not believed: nothing of it is written down until somebody looks.

    It holds where more objects of a kind are missing, or otherwise than they were left in one way, than the greater of
    `floor` and `max_fraction` of those that are known; and always when all accounts or all groups are missing.
    """

    max_fraction: Fraction = Field(0.1, description="At most this share (0-1) of what is known; 0.1 is 10 %.")
    floor: Count = Field(20, description="This many differences of one sort are never too many for `max_fraction`.")

    def allowed(self, population: int) -> int:
        """The most that may differ in one way, of so many."""
        return max(self.floor, int(self.max_fraction * population + 1e-9))


class Brakes(ConfigModel):
    """Limits that stop a run which would change too much."""

    imports: ImportBrake = Field(ImportBrake(), description="People who vanish from a source, for every source.")
    targets: PlanBrake = Field(PlanBrake(), description="Changes in a target, for every target.")
    drift: DriftBrake = Field(
        DriftBrake(), description="Differences that `reconcile` finds in a target, for every target."
    )
    two_person: bool = Field(False, description="Whether a second person has to confirm every release.")
    release_hours: Annotated[float, Field(gt=0, le=24 * 14)] = Field(
        24.0, description="How long what was let go with `release` waits for a run that needs it."
    )
