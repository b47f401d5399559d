"""What OneRoster's files look like: names of columns, which must be there, and how their values are tidied.

The columns of 1.1 and 1.2 are joined, so that one mapping fits both; a file's own further columns follow behind.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

_BASE = ("sourcedId", "status", "dateLastModified")


class Table(msgspec.Struct, frozen=True):
    """One table.

    Attributes:
        columns: Canonical names, all of them always given.
        required: Those that a file cannot do without: read as empty, they would turn people into nobody.
        aliases: What drafts and real exports call a column, in lower case, and its canonical name.
        tidied: How the values of some columns are put into their one form.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    aliases: dict[str, str] = {}
    tidied: dict[str, Callable[[str], str]] = {}


_BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "1"), "true")
_BOOLEANS |= dict.fromkeys(("false", "f", "no", "n", "0"), "false")


def boolean(value: str) -> str:
    """`true` or `false` for what exports write instead ("TRUE", "1"); anything else as it stands."""
    return _BOOLEANS.get(value.lower(), value)


def date(value: str) -> str:
    """`YYYY-MM-DD` of a date with a midnight behind it; with another time of day the date is not certain."""
    day, clock = value[:10], value[11:].rstrip("Zz")
    midnight = bool(clock) and value[10] in " Tt" and not clock.strip("0:.")
    return day if midnight else value


def words(*canonical: str) -> Callable[[str], str]:
    """A function that gives a word its canonical case; words it does not know stay as they are."""
    known = {word.lower(): word for word in canonical}
    return lambda value: known.get(value.lower(), value)


status = words("active", "tobedeleted", "inactive")

LEFT_OUT = ("tobedeleted", "inactive")
"""Status of records that are no longer there. Empty is active; `inactive` is of 1.0 and still met."""

FAMILY_ROLES = ("guardian", "parent", "relative")

_role = words(
    *("administrator", "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor"),
    *("relative", "siteAdministrator", "student", "systemAdministrator", "teacher"),
)

_RACES = (
    *("americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander"),
    *("white", "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity"),
)

TABLES = {
    "orgs": Table(
        columns=(*_BASE, "name", "type", "identifier", "parentSourcedId"),
        required=("sourcedId", "name", "type"),
        tidied={"type": words("department", "school", "district", "local", "state", "national")},
    ),
    "users": Table(
        columns=(
            *(*_BASE, "enabledUser", "orgSourcedIds", "role", "username", "userIds", "givenName", "familyName"),
            *("middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password"),
            *("userMasterIdentifier", "resourceSourcedIds", "preferredGivenName", "preferredMiddleName"),
            *("preferredFamilyName", "primaryOrgSourcedId", "pronouns", "birthDate", "sex"),
        ),
        required=("sourcedId", "givenName", "familyName"),
        aliases={"userid": "userIds", "agents": "agentSourcedIds", "grade": "grades", "orgsourcedid": "orgSourcedIds"},
        tidied={"enabledUser": boolean, "role": _role, "birthDate": date},
    ),
    "roles": Table(
        columns=(
            *(*_BASE, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId"),
            "userProfileSourcedId",
        ),
        required=("userSourcedId", "role", "orgSourcedId"),
        tidied={"roleType": words("primary", "secondary"), "role": _role, "beginDate": date, "endDate": date},
    ),
    "classes": Table(
        columns=(
            *(*_BASE, "title", "grades", "courseSourcedId", "classCode", "classType", "location"),
            *("schoolSourcedId", "termSourcedIds", "subjects", "subjectCodes", "periods"),
        ),
        required=("sourcedId", "title", "schoolSourcedId"),
        aliases={"grade": "grades", "termsourcedid": "termSourcedIds"},
        tidied={"classType": words("homeroom", "scheduled")},
    ),
    "enrollments": Table(
        columns=(
            *(*_BASE, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
        ),
        required=("classSourcedId", "schoolSourcedId", "userSourcedId", "role"),
        tidied={"role": _role, "primary": boolean, "beginDate": date, "endDate": date},
    ),
    "academicSessions": Table(
        columns=(*_BASE, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
        required=("sourcedId", "startDate", "endDate"),
        tidied={
            "type": words("gradingPeriod", "semester", "schoolYear", "term"),
            "startDate": date,
            "endDate": date,
        },
    ),
    "demographics": Table(
        columns=(
            *(*_BASE, "birthDate", "sex", *_RACES, "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth"),
            "publicSchoolResidenceStatus",
        ),
        required=("sourcedId",),
        aliases={"usersourcedid": "sourcedId"},
        tidied={"birthDate": date, "sex": words("male", "female", "other", "unspecified")}
        | dict.fromkeys(_RACES, boolean),
    ),
}

NEEDED = ("orgs", "users")
"""Files without which nothing can be read."""
