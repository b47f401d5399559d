"""The files a new installation begins with: a commented configuration, a ruleset and a little data, ready to run."""

from __future__ import annotations

from importlib.resources import files

_PLACES = {
    "config.yaml": "config.yaml",
    "employees.yaml": "rulesets/employees.yaml",
    "people.csv": "data/people.csv",
    "units.csv": "data/units.csv",
}
"""File in this package -> where it goes, relative to the installation's folder."""


def starter_files() -> dict[str, str]:
    r"""Text by relative path; line breaks are `\n`. The key file is not among them: `keys.write_key_file` makes it."""
    package = files(__name__)
    return {place: (package / name).read_text(encoding="utf-8") for name, place in _PLACES.items()}
