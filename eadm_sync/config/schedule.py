"""The settings of jobs: what the daemon does when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from eadm_sync.config import cron
from eadm_sync.config.cron import Every, Times, seconds_of

RELOAD = "reload"
"""No job may be called so: `trigger reload` has the daemon read its configuration again."""


def _cron(text: str) -> str:
    cron.read(text)
    return text


def _duration(text: str) -> str:
    seconds_of(text)
    return text


def _every(text: str) -> str:
    if seconds_of(text) > _LONGEST_SECONDS:
        raise ValueError("must be at most 1d; for longer times there is `cron`")
    return text


_LONGEST_SECONDS = 86_400

Duration = Annotated[str, AfterValidator(_duration)]
"""A length of time with its unit: 30s, 15m, 2h, 1d."""


class JobSettings(BaseModel):
    """One job, by its name. At most one of `cron`, `every` and `after`; without any, only `trigger` starts it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["sync", "retention", "reconcile", "housekeeping", "command"] = Field(
        description="What it does. sync: import, plan, put the changes into the export queue. retention: the same for "
        "whatever time alone has made due, without reading any source. reconcile: compare what targets hold with what "
        "they are known to hold, and put right what is known; targets are not changed. housekeeping: remove what is "
        "kept no longer. command: run a program."
    )
    cron: Annotated[str, AfterValidator(_cron)] | None = Field(
        None,
        description="When, in the organisation's time zone: minute, hour, day of the month, month, day of the week, as "
        "in crontab.",
    )
    every: Annotated[str, AfterValidator(_every)] | None = Field(
        None, description="How often, counted from midnight UTC: 30s, 15m, 2h; at most 1d."
    )
    after: str | None = Field(None, description="Behind which other job, whenever that has ended without a failure.")
    jitter: Duration | None = Field(
        None, description="Begin up to so much later, at random, so that not everybody asks a server at once."
    )
    catch_up: bool = Field(
        True, description="Whether a time that passed while no daemon was running is made up for, once."
    )
    target: str | None = Field(None, description="reconcile: only this target.")
    incremental: bool = Field(
        False,
        description="reconcile: read only what has changed since the last time, of targets that can tell. What was "
        "missed once is found by a full one only.",
    )
    command: tuple[str, ...] = Field(
        (), description="command: the program and its arguments, one by one. There is no shell between."
    )
    time_limit: Duration = Field("10m", description="command: after so long the program is ended.")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Nothing of a command: its arguments may hold a secret."""
        return iter([("do", self.do)])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [name for name in ("cron", "every", "after") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(f'`{name}`' for name in given)}: one of them says when")
        if bool(self.command) != (self.do == "command"):
            raise ValueError("`do: command` and the setting `command` go together")
        if self.target is not None and self.do != "reconcile":
            raise ValueError("`target` goes with `do: reconcile` only")
        if self.incremental and self.do != "reconcile":
            raise ValueError("`incremental` goes with `do: reconcile` only")
        return self

    @cached_property
    def times(self) -> Times | None:
        """When it is due by the clock; None where something else starts it."""
        if self.cron is not None:
            return cron.read(self.cron)
        return Every(seconds_of(self.every)) if self.every is not None else None

    @property
    def schedule(self) -> str:
        """When, as people read it: "cron 15 3 * * 1-5", "every 15m", "after fetch", "by request"."""
        for name in ("cron", "every", "after"):
            if (text := getattr(self, name)) is not None:
                return f"{name} {text}"
        return "by request"


class Fault(NamedTuple):
    """What is wrong between jobs, or of a job and a target.

    Attributes:
        job: The job.
        key: The key at fault.
        word: What stands there.
        message: What is wrong.
        known: What may stand there.
    """

    job: str
    key: str
    word: str
    message: str
    known: tuple[str, ...] = ()


def job_faults(schedule: Mapping[str, JobSettings], targets: Collection[str]) -> Iterator[Fault]:
    """What no job shows by itself."""
    for name, job in schedule.items():
        if job.target is not None and job.target not in targets:
            yield Fault(name, "target", job.target, f"there is no target '{job.target}'", tuple(targets))
        if job.after is None:
            continue
        if job.after not in schedule:
            others = tuple(other for other in schedule if other != name)
            yield Fault(name, "after", job.after, f"there is no job '{job.after}'", others)
        elif name in _chain(schedule, job.after):
            yield Fault(name, "after", job.after, f"'{name}' would wait for itself")


def _chain(schedule: Mapping[str, JobSettings], name: str | None) -> list[str]:
    """A job and those it waits for; ends where it comes round."""
    found: list[str] = []
    while name is not None and name in schedule and name not in found:
        found.append(name)
        name = schedule[name].after
    return found
