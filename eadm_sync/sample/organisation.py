"""The organisation tree: a root, five sectors, and departments, schools and teams that grow with the town."""

from __future__ import annotations

from typing import NamedTuple

from eadm_sync.sample.town import Unit

ROOT = "1000"
TOP, SCHOOL, KINDERGARTEN = "top", "school", "kindergarten"
AFTER_SCHOOL = "after-school"

_WIDEST = 999  # departments or schools of one branch: past that, codes would meet those of teams


class Branch(NamedTuple):
    """One line of the municipality's work.

    Attributes:
        name: What `Unit.branch` says.
        sector: Code of the sector it belongs to.
        prefix: What its departments' codes begin with.
        share: Of all employees (0–1).
        departments: Names of departments; used again with a place behind once all are.
    """

    name: str
    sector: str
    prefix: str
    share: float
    departments: tuple[str, ...]


SECTORS = {
    "1100": "Administrasjon",
    "1200": "Oppvekst",
    "1300": "Helse og omsorg",
    "1400": "Teknisk",
    "1500": "Kultur",
}

BRANCHES = (
    Branch(
        "administration",
        "1100",
        "11",
        0.07,
        ("Økonomi", "HR og lønn", "IKT", "Dokumentsenter", "Innkjøp", "Politisk sekretariat", "Servicetorg"),
    ),
    Branch(SCHOOL, "1200", "12", 0.20, ()),
    # kindergartens lie under 1200 too, but are numbered 16xx: a code's digits do not tell its parent
    Branch(KINDERGARTEN, "1200", "16", 0.16, ("barnehage",)),
    Branch(
        "health",
        "1300",
        "13",
        0.42,
        ("Hjemmetjenesten", "Sykehjemmet", "Bofellesskapet", "Helsestasjonen", "Rus og psykisk helse", "Legevakten"),
    ),
    Branch(
        "technical",
        "1400",
        "14",
        0.10,
        ("Vei og park", "Vann og avløp", "Byggesak", "Eiendom", "Renhold", "Brann og redning", "Oppmåling"),
    ),
    Branch("culture", "1500", "15", 0.05, ("Biblioteket", "Kulturskolen", "Idrett og friluft", "Museet", "Ungdom")),
)

_PLACES = (
    "Solbakken",
    "Nordli",
    "Elvestrand",
    "Fjellheim",
    "Bjørkelia",
    "Åsen",
    "Øygard",
    "Sætre",
    "Haugen",
    "Vestvang",
    "Granly",
    "Myrvoll",
    "Tårnby",
    "Kløverenga",
    "Bekkefaret",
    "Skogly",
    "Havnås",
    "Lyngmo",
    "Steinbru",
    "Rognehaug",
    "Furulund",
    "Sjøvik",
    "Høgda",
    "Æsvoll",
    "Løkka",
    "Brattås",
)
_ROUNDS = ("", "Øvre", "Nedre", "Gamle", "Nye", "Ytre", "Indre", "Søndre", "Nordre", "Store", "Lille")
_SCHOOL_SORTS = (("barneskole", (1, 7)), ("ungdomsskole", (8, 10)), ("barneskole", (1, 7)), ("skole", (1, 10)))


def build_units(employees: int, pupils: int) -> dict[str, Unit]:
    """The tree for so many employees and pupils, without managers; by code, parents before children."""
    units = [Unit(ROOT, "Eksempel kommune", "Kommune", "", TOP)]
    units += [Unit(code, name, "Kommunalområde", ROOT, TOP) for code, name in SECTORS.items()]
    for branch in BRANCHES:
        if branch.name == SCHOOL:
            units += _schools(pupils)
        else:
            units += _departments(branch, round(employees * branch.share))
    return {unit.code: unit for unit in units}


def _departments(branch: Branch, staff: int) -> list[Unit]:
    """Departments of about 40, and in larger ones teams of about 15."""
    count = min(_WIDEST, max(2, round(staff / 40)))
    teams = round(staff / count / 15)
    units: list[Unit] = []
    for index in range(count):
        name = _department_name(branch, index)
        code = f"{branch.prefix}{index + 1:02d}"
        units.append(Unit(code, name, "Avdeling", branch.sector, branch.name))
        if teams > 1:
            units += [
                Unit(f"{code}{team:02d}", f"{name}, {_team_name(branch, team)}", "Team", code, branch.name)
                for team in range(1, min(teams, 99) + 1)
            ]
    return units


def _schools(pupils: int) -> list[Unit]:
    """Schools of up to about 350 pupils, every grade in at least one, with after-school care for the small ones."""
    units: list[Unit] = []
    for index in range(min(_WIDEST, max(2, round(pupils / 350)))):
        sort, grades = _SCHOOL_SORTS[index % len(_SCHOOL_SORTS)]
        code, name = f"12{index + 1:02d}", f"{_place(index)} {sort}"
        units.append(Unit(code, name, "Skole", "1200", SCHOOL, grades))
        if grades[0] == 1:
            units.append(Unit(f"{code}01", f"{name}, SFO", "Team", code, AFTER_SCHOOL))
    return units


def _department_name(branch: Branch, index: int) -> str:
    if branch.name == KINDERGARTEN:
        return f"{_place(index + 7)} barnehage"
    turn, which = divmod(index, len(branch.departments))
    name = branch.departments[which]
    return f"{name} {_place(turn - 1)}" if turn else name


def _team_name(branch: Branch, team: int) -> str:
    return f"avdeling {_place(team + 2)}" if branch.name == KINDERGARTEN else f"team {team}"


def _place(index: int) -> str:
    """A place name; the first 286 differ, later ones are numbered."""
    turn, which = divmod(index, len(_PLACES))
    again, word = divmod(turn, len(_ROUNDS))
    name = f"{_ROUNDS[word]} {_PLACES[which]}".strip()
    return f"{name} {again + 1}" if again else name
