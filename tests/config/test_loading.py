"""Reading a configuration file: what comes out, and everything that can be wrong with it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.contract import Connector
from connectors.registry import ConnectorNotInstalled, UnknownConnector
from eadm_sync.config.loading import Loaded, load_settings
from eadm_sync.errors import ConfigError, Problem

GOOD = """\
organisation:
  name: Eksempel kommune
state:
  url: sqlite:///var/test.db
rulesets: [rulesets]
sources:
  hr:
    type: table
    files:
      persons: p.csv
      contracts: {path: c.csv, encoding: cp1252}
    dates: ['%d.%m.%Y']
    brake: {floor: 10}
    map:
      people: {from: persons, key: "{{ row.Nr }}", given_name: "{{ row.Fornavn }}", extra: {cost: 1}}
      affiliations:
        - {from: contracts, person: "{{ row.Nr }}", key: a, kind: employee, primary: true}
        - {from: contracts, person: "{{ row.Nr }}", key: b, kind: employee}
targets:
  ad:
    type: directory
    host: ad.example.org
    password: ${env:AD_PASSWORD}
    variables: {base_dn: "DC=example,DC=org"}
    brake: {account: {delete: {max: 7}}}
"""


class TableFile(BaseModel):
    """A table of the invented source."""

    model_config = ConfigDict(extra="forbid")
    path: str
    encoding: str = "utf-8"


class TableOptions(BaseModel):
    """Settings of the invented source."""

    model_config = ConfigDict(extra="forbid")
    files: dict[str, str | TableFile] = Field(description="Tables.")
    delimiter: str = Field(";", max_length=1)


class DirectoryOptions(BaseModel):
    """Settings of the invented target; its validators are as careless as a third party's may be."""

    model_config = ConfigDict(extra="forbid")
    host: str = Field(description="Name of the server.")
    port: int = Field(636, ge=1, le=65535)
    password: SecretStr = SecretStr("")
    url: str = ""

    @field_validator("url")
    @classmethod
    def _quote_it(cls, value: str) -> str:
        if value and not value.startswith("ldaps://"):
            raise ValueError(f"{value!r} is not a URL")
        return value

    @field_validator("password")
    @classmethod
    def _quote_it_too(cls, value: SecretStr) -> SecretStr:
        if " " in value.get_secret_value():
            raise ValueError(f"no blanks in {value.get_secret_value()}")
        return value


def _open(_options: Any, _base: Path) -> Any:
    raise AssertionError("loading opens nothing")


READY_MADE = """
people: {from: users, key: "{{ row.id }}", email: "{{ row.mail }}"}
units: {from: orgs, code: "{{ row.id }}"}
"""


def connectors(type_: str) -> Connector:
    """The connectors of these tests."""
    match type_:
        case "table":
            return Connector("table", TableOptions, open_source=_open)
        case "school":
            return Connector("school", TableOptions, open_source=_open, mapping=READY_MADE)
        case "directory":
            return Connector("directory", DirectoryOptions, open_target=_open)
        case "cloud":
            raise ConnectorNotInstalled("cloud", "cloudlib")
        case _:
            raise UnknownConnector(type_, ("directory", "school", "table"))


ENVIRON = {"AD_PASSWORD": "hunter2 4ever", "PORT": "6x36", "EMPTY": "", "OTHER": "s3cr3t"}


def load(folder: Path, text: str) -> Loaded:
    """Loads a configuration of this text."""
    (folder / "rulesets").mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(text)
    environ = ENVIRON | {"AD_PASSWORD": "hunter2"} if text is GOOD else ENVIRON
    return load_settings(folder / "config.yaml", environ=environ, connectors=connectors)


def problems(folder: Path, text: str) -> list[Problem]:
    """The problems that loading this text raises."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return list(caught.value.problems)


def test_a_good_file_becomes_settings(tmp_path: Path) -> None:
    """Values, defaults, connector options and mappings are all there, in the order of the file."""
    loaded = load(tmp_path, GOOD)
    settings = loaded.settings
    hr, ad = settings.sources["hr"], settings.targets["ad"]
    assert settings.organisation.zone.key == "Europe/Oslo"
    assert isinstance(hr.options, TableOptions)
    assert hr.options.files["contracts"] == TableFile(path="c.csv", encoding="cp1252")
    assert hr.map.people[0].templates() == {
        "key": "{{ row.Nr }}",
        "given_name": "{{ row.Fornavn }}",
        "extra.cost": "1",
    }
    assert [entry.key for entry in hr.map.affiliations] == ["a", "b"]
    assert hr.map.affiliations[0].primary == "true"
    assert isinstance(ad.options, DirectoryOptions)
    assert ad.options.password.get_secret_value() == "hunter2"
    assert settings.import_brake("hr").floor == 10
    assert settings.links == ("national_id",)
    assert loaded.path(Path("var/x")) == tmp_path / "var/x"


def test_templates_are_found_in_the_file(tmp_path: Path) -> None:
    """An entry that stands for a list of one is found by its number as well."""
    document = load(tmp_path, GOOD).document
    for path in (("sources", "hr", "map", "people", "given_name"), ("sources", "hr", "map", "people", 0, "given_name")):
        at = document.position_in(path, 3)
        assert document.line_text(at.line)[at.column - 1 :].startswith("row.Fornavn")


def test_settings_never_show_a_value(tmp_path: Path) -> None:
    """Whatever came from outside, a repr names the settings only."""
    text = GOOD.replace("Eksempel kommune", "${env:OTHER}").replace("DC=example", "${env:OTHER}")
    loaded = load(tmp_path, text.replace("${env:AD_PASSWORD}", "${env:OTHER}"))
    assert loaded.settings.organisation.name == "s3cr3t"
    assert loaded.settings.targets["ad"].variables["base_dn"] == "s3cr3t,DC=org"
    assert "s3cr3t" not in repr(loaded)
    assert "s3cr3t" not in f"{loaded.settings.targets} {loaded.settings.organisation}"


def _edit(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace("${env:AD_PASSWORD}", "${env:OTHER}").replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # unknown keys: ours, a connector's, deep in a mapping
        ("organisation:", "organization:", "1:1: organization: unknown setting 'organization' (did you mean 'organis"),
        ("rulesets:", "source:", "5:1: source: unknown setting 'source' (did you mean 'sources'?)"),
        ("    dates:", "    date:", "12:5: sources.hr.date: unknown setting 'date' (did you mean 'dates'?)"),
        ("host:", "hosts:", "22:5: targets.ad.hosts: unknown setting 'hosts' (did you mean 'host'?)"),
        ("encoding:", "encodng:", "11:32: sources.hr.files.contracts.encodng: unknown setting 'encodng' (did you mean"),
        ("given_name:", "givenname:", "15:52: sources.hr.map.people.givenname: unknown setting 'givenname' (did you"),
        ("delete:", "delte:", "25:23: targets.ad.brake.account.delte: unknown setting 'delte' (did you mean 'delete'?"),
        # missing settings
        (
            "    host: ad.example.org\n",
            "",
            "20:3: targets.ad.host: the setting 'host' is missing (Name of the server.)",
        ),
        ("key: a, ", "", "17:11: sources.hr.map.affiliations[0].key: the setting 'key' is missing (What tells one"),
        ("  name: Eksempel kommune\n", "", "1:14: organisation: is empty, and must be a mapping"),
        # values of the wrong kind
        ("Eksempel kommune", "1", "2:9: organisation.name: must be text (put quotes around it)"),
        ("Eksempel kommune", "''", "2:9: organisation.name: must have at least 1 character"),
        ("[rulesets]", "rulesets", "5:11: rulesets: must be a list"),
        ("[rulesets]", "[rules]", "5:12: rulesets[0]: there is no file or folder 'rules'"),
        ("p.csv", "[a]", "10:16: sources.hr.files.persons: must be text or a mapping"),
        ("floor: 10", "floor: many", "13:20: sources.hr.brake.floor: must be a whole number"),
        ("floor: 10", "max_vanished_fraction: 5", "13:36: sources.hr.brake.max_vanished_fraction: must be less than"),
        ("'%d.%m.%Y'", "'%d.%m'", "12:13: sources.hr.dates[0]: must be a date format with day, month and year"),
        ("['%d.%m.%Y']", "[]", "12:12: sources.hr.dates: must not be empty"),
        ("sqlite:///", "mysql://", "4:8: state.url: must begin with 'sqlite:///' or 'postgresql://'"),
        ("extra: {cost: 1}", "extra: {title: 1, id: 2}", "15:92: sources.hr.map.people.extra: 'id' is a field of its"),
        ("extra: {cost: 1}", "extra: {Cost: 1}", "15:93: sources.hr.map.people.extra.Cost: must begin with a"),
        ("{base_dn:", "{base-dn:", "24:17: targets.ad.variables.base-dn: must begin with a small letter"),
        (
            "rulesets:",
            "logging: {level: warn}\nrulesets:",
            "5:18: logging.level: must be 'debug', 'info', 'warning' or",
        ),
        ("rulesets:", "links: [mobile]\nrulesets:", "5:9: links[0]: must be 'national_id', 'employee_number', 'user"),
        ("  name:", "  time_zone: Europe/Olso\n  name:", "2:14: organisation.time_zone: must be a time zone such as"),
        # connectors
        ("type: table", "type: tabel", "8:11: sources.hr.type: there is no connector 'tabel' (did you mean 'table'?)"),
        (
            "type: table",
            "type: cloud",
            "8:11: sources.hr.type: the connector 'cloud' needs the package 'cloudlib' (pip",
        ),
        ("type: table", "type: directory", "8:11: sources.hr.type: 'directory' is a target, not a source"),
        ("type: directory", "type: table", "21:11: targets.ad.type: 'table' is a source, not a target"),
        ("    type: directory\n", "", "20:3: targets.ad.type: the setting 'type' is missing"),
        # names
        ("  hr:", "  HR:", "7:3: sources.HR: 'HR' cannot be a name (lower-case letters"),
        ("  hr:", "  group:", "7:3: sources.group: 'group' is a word of the program (call it otherwise"),
        ("  ad:", "  hr:", "20:3: targets.hr: 'hr' is the name of a source, too"),
        ("  hr:", "  hr: x\n  sr:", "7:3: sources.hr: must be a mapping"),
        # YAML itself
        ("  hr:", "  hr: {}\n  hr:", "8:3: sources.hr: the key 'hr' already stands in line 7"),
    ],
)
def test_a_mistake_is_told_at_its_place_with_what_would_be_right(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """The problem reads as an administrator would want it, and points at the word."""
    found = [str(problem).removeprefix(f"{tmp_path}/config.yaml:") for problem in problems(tmp_path, _edit(old, new))]
    assert any(line.startswith(expected) for line in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """One run is enough to see everything that is wrong, in the order of the file."""
    text = """\
sources:
  hr: {type: table, files: 5, dilimiter: x}
  school: {type: nothing}
targets:
  ad: {type: directory, port: '${env:NOT_SET}', hst: x}
brakes: {import: {}}
"""
    found = problems(tmp_path, text)
    assert [(p.line, p.place) for p in found] == [
        (1, "organisation"),
        (2, "sources.hr.map"),
        (2, "sources.hr.files"),
        (2, "sources.hr.dilimiter"),
        (3, "sources.school.type"),
        (5, "targets.ad.host"),
        (5, "targets.ad.port"),
        (5, "targets.ad.hst"),
        (6, "brakes.import"),
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "just text\n"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    """An emptied file is an error, never an empty configuration."""
    assert "mapping of settings" in problems(tmp_path, text)[0].message


@pytest.mark.parametrize("text", ["organisation: {name: x}\n", "organisation: {name: x}\nsources:\n"])
def test_no_source_at_all_is_told(tmp_path: Path, text: str) -> None:
    """With no source everybody would be absent."""
    assert "at least one source" in problems(tmp_path, text)[0].message


# ---------------------------------------------------------------- values from outside


@pytest.mark.parametrize(
    ("value", "says"),
    [
        # a careless validator of a connector quotes what it was given
        ("url: '${env:AD_PASSWORD}'", "'***' is not a URL"),
        ("url: 'http://${env:AD_PASSWORD}'", "'http://***' is not a URL"),
        ("password: '${env:AD_PASSWORD}'", "no blanks in ***"),
        ("password: hunter2 4ever", "no blanks in ***"),
        ("password: hunter2 4ever, port: x", "no blanks in ***"),
        ("port: '${env:AD_PASSWORD}'", "must be a whole number"),
        ("url: http://u:hunter2@h", "'http://***@h' is not a URL"),
        # a slip of the pen in the key
        ("pasword: hunter2 4ever", "unknown setting"),
        ("pwd: {a: hunter2}", "unknown setting"),
        ("password: 'hunter2: 4ever' x", "not valid YAML"),
        # beside a mistake of another kind
        ("prot: 5, password: hunter2", "unknown setting"),
    ],
)
def test_no_problem_shows_a_secret(tmp_path: Path, value: str, says: str) -> None:
    """Neither the message, nor the hint, nor the line that is shown."""
    text = GOOD[: GOOD.index("  ad:")] + f"  ad: {{type: directory, host: h, {value}}}\n"
    found = problems(tmp_path, text)
    assert any(says in problem.message for problem in found)
    for problem in found:
        assert "hunter2" not in f"{problem.message} {problem.hint} {problem.place}"
        assert "hunter2" not in str(problem.excerpt)


def test_files_give_values_without_their_last_line_break(tmp_path: Path) -> None:
    """A password file as `echo` writes it, by a path relative to the configuration."""
    (tmp_path / "pw").write_text("tørr fisk\r\n".replace(" ", "_"))
    loaded = load(tmp_path, GOOD.replace("${env:AD_PASSWORD}", "a${file:pw}b"))
    assert loaded.settings.targets["ad"].options.password.get_secret_value() == "atørr_fiskb"


def test_a_doubled_dollar_is_a_plain_one(tmp_path: Path) -> None:
    """`$${` stands for `${`, and an expression behind a dollar stays an expression."""
    loaded = load(
        tmp_path, GOOD.replace("${env:AD_PASSWORD}", "${env:OTHER}").replace("DC=example,", "$${env:X} ${{ a }} $5")
    )
    assert loaded.settings.targets["ad"].variables["base_dn"] == "${env:X} ${{ a }} $5DC=org"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("password: ${env:AD_PASSWORD}", "password: hunter2-4ever", (23, 15, "targets.ad.password")),
        # At any depth of what a connector has.
        ("password: ${env:AD_PASSWORD}", "api-keys: {x: {client_secret: hunter2-4ever}}", (23, 35, "")),
        ("sqlite:///var/test.db", "postgresql://eadm:hunter2-4ever@db/state", (4, 8, "state.url")),
        # A user from outside does not make the password one.
        ("sqlite:///var/test.db", "postgresql://${env:OTHER}:hunter2-4ever@db/state", (4, 8, "state.url")),
        # A plain dollar is no reference.
        ("password: ${env:AD_PASSWORD}", "password: hunter2-4ever$${x}", (23, 15, "targets.ad.password")),
    ],
)
def test_a_password_that_stands_in_the_file_is_refused(tmp_path: Path, old: str, new: str, place: tuple[int, int, str]):
    """At its place, unseen, with what would be right."""
    assert GOOD.count(old) == 1

    found = problems(tmp_path, GOOD.replace(old, new))

    (one,) = [each for each in found if "clear text" in each.message]
    assert (one.line, one.column) == place[:2]
    assert (one.place or "").startswith(place[2])
    assert "${file:PATH}" in (one.hint or "")
    assert not [each for each in found if "hunter2" in f"{each} {each.excerpt}"]


@pytest.mark.parametrize(
    "right",
    [
        "password: ${file:secrets/one}",
        "password: 'prefix-${env:OTHER}'",
        "password: ''",  # none: the connector says whether there has to be one
        "password_file: /etc/eadm-sync/password",
        "password_min_length: '12'",
        "url: ldap://eadm@ad.example.org",
    ],
)
def test_what_is_no_password_is_not_refused_as_one(tmp_path: Path, right: str):
    """References, names of files, and users without a password."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "one").write_text("hunter2-4ever\n", encoding="utf-8")
    text = GOOD.replace("password: ${env:AD_PASSWORD}", right)

    try:
        load(tmp_path, text)
    except ConfigError as error:
        assert not [each for each in error.problems if "clear text" in each.message]  # noqa: PT017 - others may be wrong


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("${env:NOT_SET}", "the environment variable NOT_SET is not set"),
        ("${env:EMPTY}", "${env:EMPTY} is empty"),
        ("${file:none}", "the file none cannot be read: No such file"),
        ("${file:rulesets}", "the file rulesets cannot be read"),
        ("${file:empty}", "${file:empty} is empty"),
        ("${file:binary}", "is not UTF-8 text"),
        ("${file:giant}", "too large"),
        ("${file:a\x00b}", None),
        ("${enw:X}", "cannot be read (did you mean 'env'?)"),
        ("${X}", "cannot be read (write ${env:NAME}"),
        ("${env:}", "cannot be read"),
    ],
)
def test_what_is_not_there_is_told_at_the_reference(tmp_path: Path, reference: str, says: str | None) -> None:
    """A missing secret is one problem, at the very place, whatever the field would have said of it."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "giant").write_bytes(b"x" * 1_048_577)
    found = problems(tmp_path, GOOD.replace("    password: ${env:AD_PASSWORD}", f"    port: 'x{reference}'"))
    assert len(found) == 1
    if says is not None:
        assert (found[0].line, found[0].column, found[0].width) == (23, 13, len(reference))
        assert says in str(found[0])


# ---------------------------------------------------------------- ready-made mappings


def school(own_map: str) -> str:
    """A configuration with the source that has a ready-made mapping."""
    return f"""\
organisation: {{name: x}}
rulesets: [rulesets]
sources:
  school: {{type: school, files: {{}}{own_map}}}
"""


@pytest.mark.parametrize(
    ("own_map", "people", "units"),
    [
        # none of its own: as it comes
        ("", [{"key": "{{ row.id }}", "email": "{{ row.mail }}"}], 1),
        # one field more
        (
            ", map: {people: {national_id: x}}",
            [{"key": "{{ row.id }}", "email": "{{ row.mail }}", "national_id": "x"}],
            1,
        ),
        # a list stands in place of the ready-made entry
        (", map: {people: [{from: a, key: b}]}", [{"key": "b"}], 1),
        # a part left out
        (", map: {units: []}", [{"key": "{{ row.id }}", "email": "{{ row.mail }}"}], 0),
    ],
)
def test_a_ready_made_mapping_can_be_changed_in_part(
    tmp_path: Path, own_map: str, people: list[dict[str, str]], units: int
) -> None:
    """A source of a fixed format needs no mapping, and takes changes to a field or a part of it."""
    mapped = load(tmp_path, school(own_map)).settings.sources["school"].map
    assert [entry.templates() for entry in mapped.people] == people
    assert len(mapped.units) == units


def test_a_mistake_in_a_change_of_a_ready_made_mapping_is_told(tmp_path: Path) -> None:
    """Its place is that in the file."""
    found = problems(tmp_path, school(", map: {people: {e_mail: x}}"))
    assert [(p.line, p.place, p.hint) for p in found] == [
        (4, "sources.school.map.people.e_mail", "did you mean 'email'?")
    ]
    assert "must be a mapping" in problems(tmp_path, school(", map: 5"))[0].message
