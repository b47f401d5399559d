"""The `oneroster` source: both versions in one form, from exports as dirty as real ones."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.contract import BadRecord, Record
from connectors.errors import Unreadable
from connectors.oneroster import connector
from connectors.oneroster.format import TABLES, boolean, date
from connectors.oneroster.source import OneRosterOptions, OneRosterSource

Rows = list[dict[str, str]]

V11 = {
    "orgs.csv": """sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId
kommune,,,Nordre kommune,district,,
skole1,,,Fjell skole,school,,kommune
skole2,,,Vik skole,school,,kommune
""",
    "users.csv": """sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,\
familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password
p1,,,TRUE,skole1,Student,p1,,Åse,Li,,,,,,g1,5,
t1,active,,1,"skole1, skole2",teacher,t1,,Per,Dahl,,,per@example.no,99887766,,,,
g1,,,false,skole1,guardian,,,Kari,Li,,,,,,p1,,
gone,toBeDeleted,,true,skole1,student,gone,,Ola,Moe,,,,,,,,
""",
    "classes.csv": """sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,\
schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods
5a,,,5A,5,,,homeroom,,skole1,"h26,v27",,,
ma,,,Matematikk,5,,,scheduled,,skole1,h26,MAT,,
old,inactive,,4A,4,,,homeroom,,skole1,,,,
""",
    "academicSessions.csv": """sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear
h26,,,Høst,semester,2026-08-17,2026-12-19,,2027
v27,,,Vår,semester,2027-01-04T00:00:00Z,2027-06-19,,2027
""",
    "enrollments.csv": """sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,\
beginDate,endDate
e1,,,5a,skole1,p1,student,,,
e2,,,ma,skole1,p1,student,False,2026-09-01,
e3,,,5a,skole1,t1,TEACHER,Yes,2026-08-01,2027-06-30
e4,,,5a,skole1,gone,student,,,
e5,,,old,skole1,p1,student,,,
""",
    "demographics.csv": """sourcedId,status,dateLastModified,birthDate,sex
p1,,,2015-03-04,Female
""",
}

V12 = {
    **{name: V11[name] for name in ("orgs.csv", "classes.csv", "academicSessions.csv", "enrollments.csv")},
    "users.csv": """sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,\
identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,\
preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns
p1,,,true,p1,,Åse,Li,,,,,,,,,,,,,,skole1,
t1,,,true,t1,,Per,Dahl,,,,,,,,,,,,,,skole1,
g1,,,true,,,Kari,Li,,,,,,,,,,,,,,,
gone,tobedeleted,,true,,,Ola,Moe,,,,,,,,,,,,,,,
""",
    "roles.csv": """sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,\
userProfileSourcedId
r1,,,p1,Primary,student,2026-08-17,,skole1,
r2,,,t1,secondary,guardian,,,skole2,
r3,,,t1,primary,teacher,,,skole1,
r4,,,g1,primary,parent,,,skole1,
r5,,,gone,primary,student,,,skole1,
r6,inactive,,p1,primary,student,,,skole2,
""",
}


def write_folder(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> None:
    """Writes an export's files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode(encoding))


def write_zip(path: Path, files: dict[str, str], folder: str = "") -> None:
    """Writes an export as a zip, its files in an inner folder ("export/") or at the top."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)


def source_of(folder: Path, files: dict[str, str], **options: Any) -> OneRosterSource:
    """A source over a folder with these files."""
    write_folder(folder / "roster", files)
    return connector.open_source(OneRosterOptions(path="roster", **options), folder)


def rows_of(source: OneRosterSource, table: str) -> Rows:
    """Rows by column, none of which may be bad."""
    rows = list(source.read(table))
    assert all(isinstance(row, Record) for row in rows), rows
    return [dict(zip(source.columns(table), row.values, strict=True)) for row in rows]


def picked(rows: Rows, *names: str) -> list[tuple[str, ...]]:
    """Some columns of all rows."""
    return [tuple(row[name] for name in names) for row in rows]


def edited(files: dict[str, str], name: str, old: str, new: str) -> dict[str, str]:
    """The files with one text in one of them replaced."""
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


def test_users(tmp_path: Path):
    """Users come with tidy values and their birth dates, without those marked as gone."""
    users = rows_of(source_of(tmp_path, V11), "users")

    assert picked(users, "sourcedId", "role", "enabledUser", "birthDate", "sex") == [
        ("p1", "student", "true", "2015-03-04", "female"),
        ("t1", "teacher", "true", "", ""),
        ("g1", "guardian", "false", "", ""),
    ]


def test_roles_of_version_1_1(tmp_path: Path):
    """Each organisation of a user makes a role; the first is the primary one."""
    roles = rows_of(source_of(tmp_path, V11), "roles")

    assert picked(roles, "userSourcedId", "orgSourcedId", "role", "roleType") == [
        ("p1", "skole1", "student", "primary"),
        ("t1", "skole1", "teacher", "primary"),
        ("t1", "skole2", "teacher", "secondary"),
        ("g1", "skole1", "guardian", "primary"),
    ]


def test_roles_of_version_1_2(tmp_path: Path):
    """Roles are read from their own file, without those of users that are gone."""
    roles = rows_of(source_of(tmp_path, V12), "roles")

    assert picked(roles, "userSourcedId", "orgSourcedId", "role", "roleType", "beginDate") == [
        ("p1", "skole1", "student", "primary", "2026-08-17"),
        ("t1", "skole2", "guardian", "secondary", ""),
        ("t1", "skole1", "teacher", "primary", ""),
        ("g1", "skole1", "parent", "primary", ""),
    ]


def test_users_of_version_1_2_have_a_role(tmp_path: Path):
    """A role in the school comes before one in the family, so that a teacher with children is a teacher."""
    users = rows_of(source_of(tmp_path, V12), "users")

    assert picked(users, "sourcedId", "role") == [("p1", "student"), ("t1", "teacher"), ("g1", "parent")]


@pytest.mark.parametrize("files", [V11, V12])
def test_both_versions_have_the_same_columns(tmp_path: Path, files: dict[str, str]):
    """One mapping fits both: all columns of the standard are there, in one order."""
    source = source_of(tmp_path, files)

    for table in ("orgs", "users", "roles", "classes", "enrollments"):
        assert source.columns(table) == TABLES[table].columns


def test_enrolments_get_the_dates_of_their_terms(tmp_path: Path):
    """Missing dates are those of the class's terms, own ones stay; gone users and classes have no enrolments."""
    enrolments = rows_of(source_of(tmp_path, V11), "enrollments")

    assert picked(enrolments, "sourcedId", "role", "primary", "beginDate", "endDate") == [
        ("e1", "student", "", "2026-08-17", "2027-06-19"),
        ("e2", "student", "false", "2026-09-01", "2026-12-19"),
        ("e3", "teacher", "true", "2026-08-01", "2027-06-30"),
    ]


def test_enrolments_of_unknown_terms_have_no_dates(tmp_path: Path):
    """Half of a class's terms is not its time: better no date than a wrong end."""
    files = edited(V11, "academicSessions.csv", "v27,", "v99,")

    enrolments = rows_of(source_of(tmp_path, files), "enrollments")

    assert picked(enrolments, "sourcedId", "beginDate", "endDate")[0] == ("e1", "", "")


def test_a_user_both_gone_and_there_is_there(tmp_path: Path):
    """An id that is marked as gone in one row and stands in another keeps its enrolments."""
    files = {**V11, "users.csv": V11["users.csv"] + "gone,,,true,skole1,student,gone,,Ola,Moe,,,,,,,,\n"}
    source = source_of(tmp_path, files)

    assert "e4" in [row["sourcedId"] for row in rows_of(source, "enrollments")]


def test_header_dirt(tmp_path: Path):
    """Case, marks, CRLF, semicolons, older names, foreign columns and another order are all tolerated."""
    content = (
        "GIVENNAME;FamilyName;sourcedid;Role;orgSourcedIds;userId;metadata.shoe;Grade\r\n"
        "Åse;Li;p1;STUDENT;skole1;x;38;5\r\n"
    )
    folder = tmp_path / "roster"
    write_folder(folder, {**V11, "users.csv": "\ufeff" + content})
    source = connector.open_source(OneRosterOptions(path="roster"), tmp_path)

    (user,) = rows_of(source, "users")

    assert source.columns("users") == (*TABLES["users"].columns, "metadata.shoe")
    found = picked([user], "sourcedId", "givenName", "role", "userIds", "grades", "metadata.shoe", "email")
    assert found == [("p1", "Åse", "student", "x", "5", "38", "")]


def test_column_twice_in_different_case(tmp_path: Path):
    """Two columns of one name in different case leave open which one counts."""
    files = edited(V11, "orgs.csv", "sourcedId,status", "sourcedId,SOURCEDID")

    with pytest.raises(Unreadable, match="has the column 'sourcedId' twice: columns 1 and 2"):
        source_of(tmp_path, files).check()


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("users.csv", "has no users.csv"), ("orgs.csv", "has no orgs.csv")],
)
def test_needed_files(tmp_path: Path, missing: str, reason: str):
    """Without users or organisations there is nothing to import, and all tables say so."""
    files = {name: content for name, content in V11.items() if name != missing}
    source = source_of(tmp_path, files)

    assert missing.removesuffix(".csv") in source.tables
    with pytest.raises(Unreadable, match=reason):
        source.check()


def test_optional_files_may_be_missing(tmp_path: Path):
    """With only the needed files, the other tables are left out and the joined columns are empty."""
    source = source_of(tmp_path, {name: V11[name] for name in ("users.csv", "orgs.csv")})

    source.check()

    assert source.tables == ("orgs", "users", "roles")
    assert picked(rows_of(source, "users"), "birthDate") == [("",), ("",), ("",)]


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("users.csv", "orgSourcedIds,role", "orgs,roles", "has no column orgSourcedIds, role, and there is no roles"),
        ("users.csv", "sourcedId,", "id,", "has no column sourcedId"),
        ("enrollments.csv", "userSourcedId,", "user,", "has no column userSourcedId"),
        ("academicSessions.csv", "endDate", "until", "has no column endDate"),
    ],
)
def test_required_columns(tmp_path: Path, name: str, old: str, new: str, reason: str):
    """A renamed column is an error: read as empty it would end everybody's affiliations."""
    with pytest.raises(Unreadable, match=reason):
        source_of(tmp_path, edited(V11, name, old, new)).check()


def manifest(**files: str) -> str:
    """A manifest of version 1.1 with a mode for each named file."""
    lines = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.1"]
    return "\n".join([*lines, *(f"file.{name},{mode}" for name, mode in files.items())]) + "\n"


def test_delta_is_refused(tmp_path: Path):
    """A file with only the changes would read as everybody else's leaving."""
    source = source_of(tmp_path, {**V11, "manifest.csv": manifest(users="delta")})

    with pytest.raises(Unreadable, match=r"only the changes of users\.csv"):
        list(source.read("users"))


def test_promised_file_that_is_missing(tmp_path: Path):
    """The manifest promises classes: that they are not there is no empty school."""
    files = {name: content for name, content in V11.items() if name != "classes.csv"}
    source = source_of(tmp_path, {**files, "manifest.csv": manifest(classes="bulk", results="absent")})

    assert "classes" in source.tables
    with pytest.raises(Unreadable, match=r"has no classes\.csv"):
        list(source.read("classes"))


@pytest.mark.parametrize(
    ("files", "options", "roles"),
    [
        (V12, {}, 4),  # there is a roles.csv
        ({**V11, "manifest.csv": manifest()}, {}, 4),
        ({**V12, "users.csv": V11["users.csv"], "manifest.csv": manifest()}, {}, 4),  # the manifest says 1.1
        ({**V11, "roles.csv": V12["roles.csv"]}, {"version": "1.1"}, 4),
        ({**V11, "roles.csv": V12["roles.csv"]}, {"version": "1.2"}, 4),
    ],
)
def test_version(tmp_path: Path, files: dict[str, str], options: dict[str, str], roles: int):
    """The version is configured, or told by the manifest, or by the files."""
    assert len(rows_of(source_of(tmp_path, files, **options), "roles")) == roles


def test_version_1_2_needs_roles(tmp_path: Path):
    """Without roles.csv nobody in a 1.2 export is anything anywhere."""
    files = {name: content for name, content in V12.items() if name != "roles.csv"}

    with pytest.raises(Unreadable, match=r"has no roles\.csv"):
        source_of(tmp_path, files, version="1.2").check()


def test_bad_user_is_bad_in_roles_too(tmp_path: Path):
    """A user's row that cannot be read is reported for the roles that it would have made."""
    source = source_of(tmp_path, edited(V11, "users.csv", "t1,active,,1,", "t1,active,1,"))

    bad = [row for row in source.read("roles") if isinstance(row, BadRecord)]

    assert [(row.table, row.line, row.values, row.truncated) for row in bad] == [
        ("roles", 3, {"userSourcedId": "t1"}, False)
    ]


@pytest.mark.parametrize(
    ("old", "new", "bad_users"),
    [
        ("p1,,,2015-03-04,Female\n", "p1,,2015-03-04,Female\nx,,,,\n", ["p1"]),  # whose it is can be read
        ("p1,,,2015-03-04,Female\n", "p1\n", ["p1", "t1", "g1"]),  # cut off: anybody's may be missing
    ],
)
def test_bad_demographics_keep_the_birth_date(tmp_path: Path, old: str, new: str, bad_users: list[str]):
    """A user whose birth date may be in a bad row is reported, so that the date is not taken away."""
    rows = list(source_of(tmp_path, edited(V11, "demographics.csv", old, new)).read("users"))

    assert [row.values["sourcedId"] for row in rows if isinstance(row, BadRecord)] == bad_users


# ---------------------------------------------------------------- zip


@pytest.mark.parametrize("folder", ["", "export/", "a/b/"])
def test_zip(tmp_path: Path, folder: str):
    """A zip reads as its folder does, wherever in it the files are."""
    write_zip(tmp_path / "roster.zip", {**V11, "__MACOSX/._users.csv": "x"}, folder)
    source = connector.open_source(OneRosterOptions(path="roster.zip"), tmp_path)

    users = list(source.read("users"))

    assert [row.values[0] for row in users] == ["p1", "t1", "g1"]
    assert users[0].file == f"roster.zip/{folder}users.csv"


def test_folder_in_a_folder(tmp_path: Path):
    """An unpacked zip often has a folder of its own."""
    write_folder(tmp_path / "roster" / "export", V11)
    source = connector.open_source(OneRosterOptions(path="roster"), tmp_path)

    assert [row.file for row in source.read("orgs")] == ["roster/export/orgs.csv"] * 3


def test_two_exports_in_one_are_refused(tmp_path: Path):
    """Which of two users.csv counts is not guessed."""
    write_zip(tmp_path / "roster.zip", {f"{folder}/{name}": V11[name] for folder in "ab" for name in V11})
    write_folder(tmp_path / "roster" / "a", V11)
    write_folder(tmp_path / "roster" / "b", V11)

    for path in ("roster.zip", "roster"):
        with pytest.raises(Unreadable, match=r"two files called|in several folders"):
            connector.open_source(OneRosterOptions(path=path), tmp_path).check()


def test_missing_path_lists_all_tables_and_cannot_be_read(tmp_path: Path):
    """A path that is not there is an error when reading, and never a roster without tables."""
    source = connector.open_source(OneRosterOptions(path="roster.zip"), tmp_path)

    assert source.tables == tuple(TABLES)
    with pytest.raises(Unreadable, match=r"roster\.zip: cannot be read"):
        source.check()


def test_cut_zip_is_unreadable(tmp_path: Path):
    """A zip that was not wholly transferred has lost its directory."""
    write_zip(tmp_path / "roster.zip", V11)
    whole = (tmp_path / "roster.zip").read_bytes()
    (tmp_path / "roster.zip").write_bytes(whole[:-30])

    with pytest.raises(Unreadable, match="is no zip, or cut off"):
        connector.open_source(OneRosterOptions(path="roster.zip"), tmp_path).check()


def test_damaged_member_is_unreadable(tmp_path: Path):
    """A member whose checksum is wrong is not believed, though it can be unpacked."""
    with zipfile.ZipFile(tmp_path / "roster.zip", "w") as archive:
        for name, content in V11.items():
            archive.writestr(name, content)
    whole = (tmp_path / "roster.zip").read_bytes()
    (tmp_path / "roster.zip").write_bytes(whole.replace(b"per@example.no", b"pez@example.no"))

    with pytest.raises(Unreadable, match=r"roster\.zip/users\.csv: is damaged: Bad CRC"):
        list(connector.open_source(OneRosterOptions(path="roster.zip"), tmp_path).read("users"))


def test_zip_bomb_is_refused(tmp_path: Path):
    """A member that unpacks to a thousandfold is not unpacked."""
    write_zip(tmp_path / "roster.zip", {**V11, "classes.csv": "0" * (1 << 25)})

    with pytest.raises(Unreadable, match=r"unpacks to 33554432 bytes, too many: classes\.csv"):
        connector.open_source(OneRosterOptions(path="roster.zip"), tmp_path).check()


# ---------------------------------------------------------------- values and mapping


@pytest.mark.parametrize(
    ("written", "read"),
    [("TRUE", "true"), ("Yes", "true"), ("1", "true"), ("0", "false"), ("F", "false"), ("perhaps", "perhaps")],
)
def test_booleans(written: str, read: str):
    """What exports write for true and false; what is neither is left for the import to refuse."""
    assert boolean(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-08-17", "2026-08-17"),
        ("2026-08-17T00:00:00Z", "2026-08-17"),
        ("2026-08-17 00:00:00.000", "2026-08-17"),
        ("2026-08-16T22:00:00Z", "2026-08-16T22:00:00Z"),  # midnight in Oslo: which day is meant is not guessed
        ("17.08.2026", "17.08.2026"),
    ],
)
def test_dates(written: str, read: str):
    """A midnight behind a date is dropped, another time is not."""
    assert date(written) == read


def test_mapping_names_tables_and_columns_that_exist():
    """The ready-made mapping reads only what every export gives."""
    mapping = yaml.safe_load(connector.mapping or "")

    for entry in mapping.values():
        columns = TABLES[entry["from"]].columns
        templates = " ".join(str(value) for value in entry.values())
        assert set(re.findall(r"row\.(\w+)", templates)) <= set(columns)
    assert set(mapping) == {"people", "affiliations", "units", "class_groups", "class_memberships"}
