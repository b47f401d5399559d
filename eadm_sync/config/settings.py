"""The configuration as values: what `config.yaml` may say, with units and defaults. `loading` fills it from a file.

Every model is frozen and refuses unknown keys. A repr names the settings that were given and no value, since any
value may have come from `${env:…}` or `${file:…}`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, SkipValidation

from eadm_sync.config.base import ConfigModel, Count
from eadm_sync.config.brakes import DEFAULT_LIMITS, FREE, Brakes, ImportBrake, Limit, PlanBrake
from eadm_sync.config.mapping import MapSettings
from eadm_sync.config.schedule import JobSettings
from eadm_sync.config.scripts import ScriptSettings

NAME = re.compile(r"[a-z][a-z0-9_-]*")
"""What a source or a target may be called."""

RESERVED = frozenset({"group"})
"""What neither may be called: the export queue tells people from groups by what stands before the colon."""

VARIABLE = re.compile(r"[a-z][a-z0-9_]*")
"""What a variable of a target may be called: rulesets write `target.<variable>`."""

_SAMPLE_DAY = date(2026, 8, 17)
_Model = TypeVar("_Model", bound=BaseModel)


# ---------------------------------------------------------------- sources and targets


def _date_format(text: str) -> str:
    try:
        same = datetime.strptime(_SAMPLE_DAY.strftime(text), text).date() == _SAMPLE_DAY  # noqa: DTZ007 - a date
    except ValueError:
        same = False
    if not same:
        raise ValueError("must be a date format with day, month and year, such as '%d.%m.%Y'")
    return text


DateFormat = Annotated[str, AfterValidator(_date_format)]
DEFAULT_DATES = ("%Y-%m-%d", "%d.%m.%Y")


class SourceSettings(ConfigModel):
    """One source. Settings of its connector stand beside these in the file and are kept in `options`."""

    type: str = Field(description="The connector that reads it: csv, json, oneroster, …")
    map: MapSettings = Field(
        MapSettings(), description="How its tables become people, affiliations, units and class groups."
    )
    brake: ImportBrake | None = Field(None, description="Import brake of this source; overrides `brakes.imports`.")
    dates: tuple[DateFormat, ...] = Field(
        DEFAULT_DATES, min_length=1, description="Date formats, tried in order, as in Python's strptime."
    )
    options: SkipValidation[Any] = Field(None, exclude=True, description="The connector's own settings, validated.")


Text = Annotated[str, Field(min_length=1)]


class MatchSettings(ConfigModel):
    """One way to find the account that a person already has in a target."""

    match: Text = Field(description="Attribute of the account.")
    to: Text = Field(
        description="What it has to equal, without case: a template that reads `person`, such as"
        ' "{{ person.employee_number }}". Where it reads `person.national_id`, keyed hashes are compared.'
    )
    propose: bool = Field(
        False, description="Whether a match is only shown, for somebody to accept or reject; nothing is adopted by it."
    )


class CorrelationSettings(ConfigModel):
    """How accounts and groups that are in a target already are taken under management."""

    rules: tuple[MatchSettings, ...] = Field(
        (), description="Tried in order, the surest first. Those that find must find one and the same account."
    )
    containers: tuple[Text, ...] = Field(
        (), description="Accounts are taken from here and from below only; empty: from everywhere."
    )
    groups: bool = Field(
        False, description="Whether a group of the name that a rule gives is taken under management, or left alone."
    )


class ProtectedSettings(ConfigModel):
    """What is never changed in a target, whoever asks; beside what the target itself protects."""

    accounts: tuple[Text, ...] = Field(
        (), description="Accounts with these names; `*` and `?` are wild, case is not told."
    )
    containers: tuple[Text, ...] = Field((), description="Accounts and groups in these containers or below them.")
    groups: tuple[Text, ...] = Field(
        (), description="Groups with these names, who is in them, and the accounts that are; wild as for accounts."
    )


class TargetSettings(ConfigModel):
    """One target. Settings of its connector stand beside these in the file and are kept in `options`."""

    type: str = Field(description="The connector that writes it: embedded, file, …")
    variables: dict[Annotated[str, Field(pattern=f"^{VARIABLE.pattern}$")], str] = Field(
        {}, description="Texts that rulesets read as `target.<name>`: a base DN, a mail domain."
    )
    brake: PlanBrake | None = Field(None, description="Limits of this target; override `brakes.targets`.")
    correlation: CorrelationSettings | None = Field(
        None, description="How the accounts that people already have there are found; null: nothing is taken over."
    )
    protected: ProtectedSettings = Field(ProtectedSettings(), description="What is never changed there, whoever asks.")
    concurrency: int = Field(
        1,
        ge=1,
        description="Most workers that deliver to it at the same time, on all machines together; no more than its"
        " connector allows (`embedded` and `file`: 1).",
    )
    changes_per_second: float | None = Field(
        None, gt=0, description="Most changes a second, all its workers together; null for no such limit."
    )
    options: SkipValidation[Any] = Field(None, exclude=True, description="The connector's own settings, validated.")


# ---------------------------------------------------------------- the whole


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as 'Europe/Oslo'") from error
    return name


def _database_url(url: str) -> str:
    if not re.match(r"(sqlite|postgresql(\+psycopg)?)://", url):
        raise ValueError("must begin with 'sqlite:///' or 'postgresql://'")
    return url


class Organisation(ConfigModel):
    """Whose accounts these are."""

    name: str = Field(min_length=1, description="Name of the municipality, school owner or employer.")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "Europe/Oslo", description="IANA time zone that decides when a day begins."
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)


class StateSettings(ConfigModel):
    """Where the program keeps what it knows."""

    url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite:///var/eadm-sync.db",
        description="The database: sqlite:///<file> or postgresql://<user>:<password>@<host>/<database>.",
    )
    key_file: Path = Field(
        Path("var/eadm-sync.key"), description="File with the keys that sensitive values are encrypted with."
    )


class LoggingSettings(ConfigModel):
    """What is logged, and where."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["console", "json"] = Field("console", description="For people, or one JSON object a line.")
    file: Path | None = Field(None, description="Log file; null for standard error.")


class HousekeepingSettings(ConfigModel):
    """How long is kept what only operators look at. The audit is never shortened by it."""

    keep_finished_days: Count = Field(
        30,
        description="Finished items of the export queue are removed after so many days; the audit keeps what they did.",
    )
    keep_runs_days: Count = Field(
        400,
        description="Runs with their reports and plans are removed after so many days; the latest ones stay always.",
    )
    max_purged: Count = Field(
        100,
        description="At most this many people may be forgotten at once, when `lifecycle.purge_days` of the ruleset are "
        "over; where there are more, nobody is until somebody lets them go.",
    )


class HttpSettings(ConfigModel):
    """Where the daemon answers `/healthz`, `/readyz` and `/metrics`. There is no sign-in: keep it on the machine."""

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; the default is reached from this machine only."
    )
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(9746, description="TCP port; 0 for any free one.")


class DaemonSettings(ConfigModel):
    """What the daemon does, and where it can be asked how it is."""

    http: HttpSettings | None = Field(
        HttpSettings(), description="Where health and metrics are told; null for nowhere."
    )
    stop_seconds: Annotated[float, Field(ge=0)] = Field(
        60.0, description="How long what is under way may take to end when the daemon is told to stop."
    )
    leader_check_seconds: Annotated[float, Field(gt=0, le=10)] = Field(
        5.0,
        description="How often a daemon on PostgreSQL makes sure that it leads, or tries to. When a leader is gone, "
        "another one leads after at most twice so long and ten seconds.",
    )


class ApprovalSettings(ConfigModel):
    """What a second person has to approve before it is done: it is held, and done by `apply` of an approved plan only.

    Others than these changes go on.
    """

    deletions: Count | None = Field(
        None, description="More deletions of accounts or groups than this in one target; null for no such rule."
    )
    groups: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Any change to these groups and to who is in them, by key; `*` and `?` are wild, case is not told.",
    )


class PlanSettings(ConfigModel):
    """Saved plans."""

    expire_hours: Annotated[float, Field(gt=0)] = Field(
        72.0, description="How long a saved plan, and its approval, can be applied."
    )
    approval: ApprovalSettings = Field(ApprovalSettings(), description="What a second person has to approve.")


class PasswordSettings(ConfigModel):
    """First passwords; how they are made is said by the ruleset."""

    keep_days: Annotated[int, Field(ge=1, le=365)] = Field(
        30,
        description="A first password that is not used is destroyed after so many days. Longer than accounts are made "
        "before their owner's first day.",
    )
    shown_to: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        None,
        description="Users of this system who may read first passwords; null for whoever may use this installation and "
        "its key.",
    )


LinkKey = Literal["national_id", "employee_number", "username", "email"]


class Settings(ConfigModel):
    """The whole configuration. Relative paths are relative to the folder of the configuration file."""

    organisation: Organisation = Field(description="Whose accounts these are.")
    state: StateSettings = Field(StateSettings(), description="Where the program keeps what it knows.")
    rulesets: tuple[Path, ...] = Field(
        (Path("rulesets"),), min_length=1, description="Ruleset files, or folders of them, in order."
    )
    sources: dict[str, SourceSettings] = Field(
        {}, description="Sources by name. Where two tell different things of a person, the upper one is believed."
    )
    links: tuple[LinkKey, ...] = Field(
        ("national_id",), description="What makes two records one human being, tried in order; each must be equal."
    )
    targets: dict[str, TargetSettings] = Field({}, description="Targets by name.")
    scripts: dict[str, ScriptSettings] = Field(
        {}, description="Programs by name that rulesets may have run after changes to accounts; they can run no other."
    )
    brakes: Brakes = Field(Brakes(), description="Limits that stop a run which would change too much.")
    plans: PlanSettings = Field(PlanSettings(), description="Saved plans: how long they hold, and who approves.")
    passwords: PasswordSettings = Field(
        PasswordSettings(), description="First passwords: how long they are kept, and who may read them."
    )
    daemon: DaemonSettings = Field(
        DaemonSettings(), description="What the daemon does, and where it can be asked how it is."
    )
    housekeeping: HousekeepingSettings = Field(
        HousekeepingSettings(), description="How long is kept what only operators look at."
    )
    schedule: dict[str, JobSettings] = Field({}, description="Jobs by name: what `eadm-sync run` does when.")
    logging: LoggingSettings = Field(LoggingSettings(), description="What is logged, and where.")

    def import_brake(self, source: str) -> ImportBrake:
        """The brake of one source: its own settings over `brakes.imports`."""
        own = self.sources[source].brake
        return self.brakes.imports if own is None else _overlaid(self.brakes.imports, own)

    def limit(self, target: str, kind: str, action: str) -> Limit | None:
        """The limit of one slice: the target's own settings over `brakes.targets` over the defaults.

        None where nothing limits it.
        """
        limit = DEFAULT_LIMITS.get((kind, action), FREE)
        for brake in (self.brakes.targets, self.targets[target].brake):
            given = brake.limit(kind, action) if brake is not None else None
            if given is not None:
                limit = _overlaid(limit, given)
        parts = (limit.by.unit, limit.by.affiliation, limit.by.rule)
        is_set = limit.max is not None or limit.max_fraction is not None or any(part.is_set for part in parts)
        return limit if is_set else None

    def needs_two(self, hold: str) -> bool:
        """Whether a second person has to confirm the release of a hold, by its name."""
        first, _, rest = hold.partition("[")[0].partition(".")
        own: bool | None = None
        if first in self.sources:
            own = self.import_brake(first).two_person
        elif first in self.targets:
            limit = self.limit(first, *rest.split(".", 1)) if rest.count(".") == 1 else None
            own = None if limit is None else limit.two_person
        return self.brakes.two_person if own is None else own


def _overlaid(base: _Model, over: _Model) -> _Model:
    """`base`, but for the fields that `over` was given; settings within settings are laid over likewise."""
    given = {name: getattr(over, name) for name in over.model_fields_set}
    inner = {
        name: _overlaid(getattr(base, name), value)
        for name, value in given.items()
        if isinstance(value, ConfigModel) and isinstance(getattr(base, name), ConfigModel)
    }
    return base.model_copy(update=given | inner)
