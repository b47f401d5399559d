from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree

import pytest
from sqlalchemy import Connection, create_engine

from connectors import registry
from connectors.contract import Source
from eadm_sync.config.keys import Key
from eadm_sync.config.loading import Loaded, load_settings
from eadm_sync.importing import Imported, read_import
from eadm_sync.model import Person
from eadm_sync.ruleset import Ruleset, TargetWords, Vocabulary, load_ruleset
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DOCS = ROOT / "docs"

PERSONS = """\
EmployeeCode;EmployeeNumber;FirstName;NamePrefix;LastName;DateOfBirth;Blocked
AnnaB;1001;Anna;;Bakker;6-8-1968;FALSE
BramV;1002;Bram;van;Vliet;3-11-1990;FALSE
ChloeD;1003;Chloé;;Dubois;;FALSE
DirkO;1004;Dirk;de;Oud;24-3-1982;TRUE
"""
CONTRACTS = """\
EmployeeCode;ContractSequenceNumber;EmployeeType;FTE;ContractStartDate;ContractEndDate;OrganizationalUnit;FunctionCode
AnnaB;1;Internal;0.5;18-6-2013;;TOP;DIR
AnnaB;2;Internal;0.5;1-8-2018;;TOP_IT;DIR
BramV;1;Internal;0.8;3-1-2005;4-8-2015;TOP_IT;ENG
ChloeD;1;Internal;1;13-2-2006;;TOP_IT;ENG
DirkO;1;Internal;1;8-17-2005;;TOP_IT;ENG
"""
UNITS = """\
ExternalId;Name;DisplayName;ManagerExternalId;ParentExternalId
TOP;;;NobodyN;ABOVE
TOP_IT;IT;IT;AnnaB;TOP
"""


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty state."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def imported(loaded: Loaded, connection: Connection) -> Imported:
    """What the first import of a configuration reads."""
    return read_import(
        loaded.settings,
        dict(_sources(loaded)),
        connection,
        Vault([Key("test", bytes(range(32)))]),
        now=datetime(2026, 8, 17, 4, tzinfo=UTC),
        today=date(2026, 8, 17),
    )


def people(import_: Imported) -> list[Person]:
    """All of them."""
    return list(import_.people(import_.changed))


def ruleset(loaded: Loaded) -> Ruleset:
    """The configuration's ruleset, checked against its targets."""
    words = {}
    for name, settings in loaded.settings.targets.items():
        open_target = registry.load(settings.type).open_target
        assert open_target
        able = open_target(settings.options, loaded.base_dir).capabilities
        words[name] = TargetWords(
            variables=settings.variables,
            account_name=able.account_name,
            group_name=able.group_name,
            required=frozenset(able.required),
            max_lengths=able.max_lengths,
            has_containers=able.containers,
            passwords=able.password_rules if able.passwords else None,
        )
    return load_ruleset([loaded.path(path) for path in loaded.settings.rulesets], Vocabulary(words))


def _sources(loaded: Loaded) -> Iterator[tuple[str, Source]]:
    for name, settings in loaded.settings.sources.items():
        open_source = registry.load(settings.type).open_source
        assert open_source
        yield name, open_source(settings.options, loaded.base_dir)


@pytest.mark.parametrize(
    ("doc", "example"),
    [
        ("sources-helloid.md", "helloid/config.yaml"),
        ("sources-helloid.md", "helloid/rulesets/employees.yaml"),
        ("sources-oneroster.md", "oneroster/config.yaml"),
        ("sources-oneroster.md", "oneroster/rulesets/pupils.yaml"),
    ],
)
def test_the_documentation_shows_the_examples_as_they_are(doc: str, example: str):
    """What a reader copies from the page is what these tests run."""
    text = (EXAMPLES / example).read_text(encoding="utf-8")

    assert f"```yaml\n{text}```" in (DOCS / doc).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "config", ["config.example.yaml", "examples/helloid/config.yaml", "examples/oneroster/config.yaml"]
)
def test_editors_are_told_of_the_schema(config: str):
    """The first line names the JSON Schema, relative to the file."""
    first = (ROOT / config).read_text(encoding="utf-8").splitlines()[0]

    prefix, _, schema = first.partition("$schema=")
    assert prefix == "# yaml-language-server: "
    assert (ROOT / config).parent.joinpath(schema).resolve() == DOCS / "schema" / "config.schema.json"


@pytest.mark.parametrize("example", ["helloid", "oneroster"])
def test_the_small_rulesets_hold(example: str):
    """They name nothing that their configuration does not have."""
    rules = ruleset(load_settings(EXAMPLES / example / "config.yaml"))

    assert len(rules.accounts) == 1
    assert len(rules.groups) == 1


def test_the_rulesets_of_the_project_hold_for_the_example_configuration():
    """`config.example.yaml` has every target, variable and attribute that rulesets/ names."""
    rules = ruleset(load_settings(ROOT / "config.example.yaml"))

    assert {rule.target for rule in rules.accounts} == {"ad", "entra", "google"}


def test_the_example_configuration_reads_the_whole_town(connection: Connection):
    """250 people from two sources; everybody who teaches or works beside school is one person."""
    found = imported(load_settings(ROOT / "config.example.yaml"), connection)

    everybody = people(found)
    kinds = Counter(kind for person in everybody for kind in {one.kind for one in person.affiliations})

    assert found.quarantined == ()
    assert len(everybody) == 250
    assert kinds == {"employee": 89, "substitute": 19, "teacher": 18, "pupil": 126, "external": 12}
    assert [(report.source, report.read) for report in found.reports] == [("hr", 125), ("school", 142)]
    assert all(unit.manager for unit in found.units.values())
    assert {unit.kind for unit in found.units.values()} == {"municipality", "sector", "department", "team", "school"}


def test_only_what_is_mapped_is_read(connection: Connection):
    """Birth dates, private addresses and the school system's usernames stay where they are."""
    everybody = people(imported(load_settings(ROOT / "config.example.yaml"), connection))

    assert all(person.birth_date is None and person.email is None and person.username is None for person in everybody)


def test_helloid_look_alike(tmp_path: Path, connection: Connection):
    """Byte order mark, semicolons, short dates, blocked people, several contracts and managers by code are read."""
    copytree(EXAMPLES / "helloid", tmp_path, dirs_exist_ok=True)
    data = tmp_path / "helloid"
    data.mkdir(exist_ok=True)
    (data / "T4E_HELLOID_Persons.csv").write_text(PERSONS, encoding="utf-8")
    (data / "T4E_HelloID_Contracts.csv").write_text(CONTRACTS, encoding="utf-8-sig")
    (data / "T4E_HELLOID_OrganizationalUnits.csv").write_text(UNITS, encoding="utf-8")

    found = imported(load_settings(tmp_path / "config.yaml"), connection)
    by_number = {person.employee_number: person for person in people(found)}

    assert [(one.key, one.field) for one in found.quarantined] == [("TOP", "manager")]
    assert {number: person.family_name for number, person in by_number.items()} == {
        "1001": "Bakker",
        "1002": "van Vliet",
        "1003": "Dubois",
    }
    assert [(one.start, one.primary) for one in by_number["1001"].affiliations] == [
        (date(2013, 6, 18), True),
        (date(2018, 8, 1), False),
    ]
    assert by_number["1002"].affiliations[0].end == date(2015, 8, 4)
    assert found.units["TOP"].name == "TOP"
    assert found.units["TOP"].manager is None
    assert found.units["TOP_IT"].manager == by_number["1001"].id


def test_a_bad_date_is_quarantined_with_its_place(tmp_path: Path, connection: Connection):
    """Without the `where:` the impossible date of the blocked person's contract is listed, and the rest goes on."""
    test_helloid_look_alike(tmp_path, connection)
    config = tmp_path / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("        where: \"row.Blocked != 'TRUE'\"\n", ""), encoding="utf-8")

    found = imported(load_settings(config), connection)

    bad = next(one for one in found.quarantined if one.field != "manager")
    assert bad.file.endswith("T4E_HelloID_Contracts.csv")
    assert (bad.line, bad.field) == (6, "start")
    assert len(people(found)) == 4


@pytest.mark.skipif(not (EXAMPLES / "helloid" / "helloid").is_dir(), reason="the HelloID demo data is not here")
def test_helloid_demo_data(connection: Connection):
    """The counts that docs/sources-helloid.md promises."""
    found = imported(load_settings(EXAMPLES / "helloid" / "config.yaml"), connection)
    everybody = people(found)
    today = date(2026, 8, 17)

    assert {one.key for one in found.quarantined} == {"EN", "EN_DESGTEAM", "EN_INKTEAM"}
    assert {one.field for one in found.quarantined} == {"manager"}
    assert len(everybody) == 32
    assert sum(len(person.affiliations) for person in everybody) == 34
    assert len(found.units) == 39
    assert sum(any(one.end is None or one.end >= today for one in person.affiliations) for person in everybody) == 29


@pytest.mark.skipif(not (EXAMPLES / "oneroster" / "oneroster").is_dir(), reason="the OneRoster sample is not here")
def test_oneroster_sample(connection: Connection):
    """The counts that docs/sources-oneroster.md promises."""
    found = imported(load_settings(EXAMPLES / "oneroster" / "config.yaml"), connection)
    everybody = people(found)

    assert found.quarantined == ()
    assert len(everybody) == 2
    assert len(found.units) == 2
    assert len(found.class_groups) == 3
    assert sum(len(one.classes) for person in everybody for one in person.affiliations) == 3


def test_oneroster_reads_a_generated_school(tmp_path: Path, connection: Connection):
    """The ready-made mapping alone does for the invented town's schools."""
    copytree(EXAMPLES / "oneroster", tmp_path, dirs_exist_ok=True)
    copytree(EXAMPLES / "kommune" / "school", tmp_path / "oneroster", dirs_exist_ok=True)

    found = imported(load_settings(tmp_path / "config.yaml"), connection)
    everybody = people(found)

    assert found.quarantined == ()
    assert Counter(one.kind for person in everybody for one in person.affiliations) == {"pupil": 126, "teacher": 17}
    assert all(one.classes for person in everybody for one in person.affiliations if one.kind == "pupil")
