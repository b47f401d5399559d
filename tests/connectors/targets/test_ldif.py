"""LDIF as RFC 2849 has it."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind, Operation, Value
from connectors.file import FileOptions, connector
from connectors.file.ldif import _line
from connectors.file.target import FileTarget


def unfold(text: str) -> list[str]:
    """Logical lines: a line that begins with a space continues the one before."""
    return text.replace("\n ", "").splitlines()


def parse(line: str) -> tuple[str, str]:
    """Name and value of one logical line."""
    name, _, rest = line.partition(":")
    if rest.startswith(":"):
        return name, b64decode(rest[1:].strip()).decode()
    return name, rest.removeprefix(" ")


def records(path: Path) -> list[list[tuple[str, str]]]:
    """The records of a file, each a list of names and values."""
    header, *blocks = path.read_text("utf-8").split("\n\n")
    assert header.strip() == "version: 1"
    return [[parse(line) for line in unfold(block)] for block in blocks]


def opened(folder: Path, mode: str) -> FileTarget:
    """A target that writes LDIF."""
    options = FileOptions(
        path=".", format="ldif", mode=mode, base_dn="dc=ks,dc=no", account_name="uid", group_name="cn"
    )  # type: ignore[arg-type]
    assert connector.open_target
    target = connector.open_target(options, folder)
    assert isinstance(target, FileTarget)
    return target


def populate(target: FileTarget) -> tuple[str | None, str | None]:
    """An account whose name needs escaping, as member of a group; their anchors."""
    account = Operation("a", Kind.ACCOUNT, Action.CREATE, attributes={"uid": "Ås, Ola", "mail": ["b@x", "a@x"]})
    group = Operation("g", Kind.GROUP, Action.CREATE, attributes={"cn": "5A"}, container="ou=g,dc=ks,dc=no")
    one, other = (outcome.anchor for outcome in target.apply([account, group]))
    link = Operation("m", Kind.MEMBERSHIP, Action.CREATE, anchor=other, account=one)
    assert [outcome.error for outcome in target.apply([link])] == [None]
    return one, other


def test_a_group_in_a_group_is_a_member_like_any_other(tmp_path: Path) -> None:
    """In the full file, and as a change record."""
    for mode in ("full", "changes"):
        folder = tmp_path / mode
        folder.mkdir()
        with opened(folder, mode) as target:
            groups = [Operation(name, Kind.GROUP, Action.CREATE, attributes={"cn": name}) for name in ("5A", "elever")]
            inner, outer = (outcome.anchor for outcome in target.apply(groups))
            link = Operation("n", Kind.NESTING, Action.CREATE, anchor=outer, member=inner)
            assert [outcome.error for outcome in target.apply([link])] == [None]
    (_, full) = records(tmp_path / "full" / "directory.ldif")
    assert full[0] == ("dn", "cn=elever,dc=ks,dc=no")
    assert ("member", "cn=5A,dc=ks,dc=no") in full
    (change,) = records(tmp_path / "changes" / "changes-000002.ldif")
    assert change[:2] == [("dn", "cn=elever,dc=ks,dc=no"), ("changetype", "modify")]
    assert ("member", "cn=5A,dc=ks,dc=no") in change


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives_a_line(text: str) -> None:
    """Every physical line is printable ASCII of at most 76 characters, and unfolds to the value."""
    written = _line("description", text)
    assert written.endswith("\n")
    for physical in written[:-1].split("\n"):
        assert physical.isascii()
        assert len(physical) <= 76
    (logical,) = written[:-1].replace("\n ", "").split("\n")
    assert parse(logical) == ("description", text)


def test_a_full_file_holds_entries(tmp_path: Path) -> None:
    """Names are escaped, lists are repeated attributes, members are distinguished names."""
    with opened(tmp_path, "full") as target:
        populate(target)
    account, group = records(tmp_path / "directory.ldif")
    dn = "uid=Ås\\, Ola,dc=ks,dc=no"
    assert account == [
        ("dn", dn),
        ("objectClass", "inetOrgPerson"),
        ("enabled", "TRUE"),
        ("mail", "a@x"),
        ("mail", "b@x"),
        ("uid", "Ås, Ola"),
    ]
    assert group == [("dn", "cn=5A,ou=g,dc=ks,dc=no"), ("objectClass", "groupOfMembers"), ("cn", "5A"), ("member", dn)]


def test_changes_are_change_records(tmp_path: Path) -> None:
    """Add, modify, rename with move, and delete, each in the form that ldapmodify takes."""
    with opened(tmp_path, "changes") as target:
        account, group = populate(target)
        attributes: dict[str, Value] = {"uid": "ola", "mail": None, "title": "x"}
        for operation in (
            Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account, attributes=attributes, container="ou=b,dc=no"),
            Operation("2", Kind.MEMBERSHIP, Action.DELETE, anchor=group, account=account),
            Operation("3", Kind.GROUP, Action.DELETE, anchor=group),
        ):
            assert [outcome.error for outcome in target.apply([operation])] == [None]
    first, second, third, fourth, fifth = (records(tmp_path / f"changes-00000{number}.ldif") for number in range(1, 6))
    assert [record[1] for record in first] == [("changetype", "add")] * 2
    joined = [("changetype", "modify"), ("add", "member"), ("member", "uid=Ås\\, Ola,dc=ks,dc=no"), ("-", "")]
    assert second == [[("dn", "cn=5A,ou=g,dc=ks,dc=no"), *joined]]
    renamed = [("changetype", "modrdn"), ("newrdn", "uid=ola"), ("deleteoldrdn", "1"), ("newsuperior", "ou=b,dc=no")]
    changed = [
        ("changetype", "modify"),
        ("replace", "mail"),
        ("-", ""),
        ("replace", "title"),
        ("title", "x"),
        ("-", ""),
    ]
    assert third == [[("dn", "uid=Ås\\, Ola,dc=ks,dc=no"), *renamed], [("dn", "uid=ola,ou=b,dc=no"), *changed]]
    left = [("changetype", "modify"), ("delete", "member"), ("member", "uid=ola,ou=b,dc=no"), ("-", "")]
    assert fourth == [[("dn", "cn=5A,ou=g,dc=ks,dc=no"), *left]]
    assert fifth == [[("dn", "cn=5A,ou=g,dc=ks,dc=no"), ("changetype", "delete")]]
