"""`docs/configuration.md`: every setting, from the schema that editors use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from docs.generator.markdown import section, yaml_block
from docs.generator.settings import Section, Sections
from eadm_sync.config.schema import config_schema

UNITS = {
    "HousekeepingSettings.max_purged": "people",
    "ImportBrake.max_vanished": "people",
    "ImportBrake.floor": "people",
    "Brakes.release_hours": "hours",
    "PlanSettings.expire_hours": "hours",
    "ApprovalSettings.deletions": "deletions",
    "Limit.max": "changes",
    "Limit.floor": "changes",
    "SliceLimit.max": "changes; at import, people",
    "SliceLimit.floor": "changes; at import, people",
    "SliceLimit.min_population": "objects; at import, people",
    "active_directory.page_size": "objects",
    "active_directory.batch_size": "changes",
    "active_directory.concurrency": "workers",
    "active_directory.changes_per_second": "changes per second",
    "active_directory.password_min_length": "characters",
    "embedded.max_lengths": "characters",
    "embedded.password_min_classes": "kinds",
    "embedded.password_min_length": "characters",
    "embedded.seats": "seats",
    "embedded.batch_size": "changes",
    "embedded.concurrency": "workers",
    "embedded.changes_per_second": "changes per second",
    "Fault.every": "operations",
    "Fault.operations": "operations",
    "entra.in_flight": "batches",
    "entra.batch_size": "changes",
    "entra.concurrency": "workers",
    "entra.changes_per_second": "changes per second",
    "file.max_lengths": "characters",
    "file.seats": "seats",
    "file.batch_size": "changes",
    "file.concurrency": "workers",
    "file.changes_per_second": "changes per second",
    "LicenceOptions.seats": "seats",
    "Rates.queries": "calls per second",
    "Rates.creations": "calls per second",
    "Rates.units": "calls per second",
    "Rates.licences": "calls per second",
    "google.in_flight": "batches",
    "google.batch_size": "changes",
    "google.concurrency": "workers",
    "google.changes_per_second": "changes per second",
    "HttpSettings.port": "port",
    "ScriptSettings.try_later": "exit code",
    "DriftBrake.floor": "objects",
}
"""What those numbers count whose names do not tell it."""

HOMES = {
    "ImportBrake": ("brakes", "imports"),
    "PlanBrake": ("brakes", "targets"),
    "Limit": ("brakes", "targets", "<kind>", "<action>"),
    "SliceLimits": ("brakes", "targets", "<kind>", "<action>", "by"),
    "SliceLimit": ("brakes", "targets", "<kind>", "<action>", "by", "<part>"),
}
"""Settings that stand in several places, and the one they are told at."""

MEANINGS = {
    "": "Relative paths are relative to the folder of the configuration file.",
    "sources.<name>": "One source. The settings of its connector stand beside these.",
    "targets.<name>": "One target. The settings of its connector stand beside these.",
}
"""What is said of sections whose models speak to programmers."""

EXAMPLES = Path(__file__).parent / "examples" / "config"


def sections() -> tuple[Section, ...]:
    """Every section of the configuration."""
    found = Sections(config_schema(), UNITS, HOMES).order
    return tuple(replace(one, meaning=MEANINGS.get(one.title, one.meaning)) for one in found)


def examples() -> dict[str, str]:
    """Example configurations, by the title of the section that shows them."""
    return {_title(path): path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.yaml"))}


def settings_reference() -> str:
    """The sections, for the place that the page keeps for them."""
    shown = examples()
    return "\n\n".join(
        section(one, "##", yaml_block(shown[one.title]) if one.title in shown else None) for one in sections()
    )


def _title(path: Path) -> str:
    """`sources.x+csv.yaml` shows the section `sources.<name>, type csv`: file names take no `<` on every system."""
    words, _, type_ = path.stem.partition("+")
    title = "" if words == "top" else words.replace(".x", ".<name>")
    return f"{title}, type {type_}" if type_ else title
