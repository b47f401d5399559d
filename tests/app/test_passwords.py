"""First passwords of a town: made by a run, shown, listed, reset, destroyed, and never left lying about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.contract import Action, Kind, Operation, RemoteObject
from connectors.embedded.target import EmbeddedTarget
from eadm_sync.app import passwords, rekeying
from eadm_sync.app.context import Context, complete_metadata, open_context
from eadm_sync.app.delivering import deliver
from eadm_sync.app.housekeeping import housekeep, preview
from eadm_sync.app.passwords import NoSecret, NotAllowed
from eadm_sync.app.persons import Terms
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.syncing import sync
from eadm_sync.errors import NotFound
from eadm_sync.state import tables
from eadm_sync.state.passwords import Secret, load_passwords

from .conftest import Place

LATER = Terms(deliver=False)


def audit(context: Context, action: str | None = None) -> list[Any]:
    """The audit's lines about passwords."""
    columns = tables.audit.c
    query = select(tables.audit).where(columns.kind == "password").order_by(columns.id)
    with context.reading() as database, database.read() as connection:
        return [row for row in connection.execute(query) if action in {None, row.action}]


def kept(context: Context) -> dict[str, Secret]:
    """Everybody's password."""
    with context.reading() as database, database.read() as connection:
        people = list(connection.scalars(select(tables.passwords.c.person_id)))
        return load_passwords(connection, context.vault, people, context.clock.now())


def given(context: Context, target: str) -> dict[str | None, int]:
    """Person → how often their account was given a password, as the target says."""
    with context.make_target(target) as opened:
        assert isinstance(opened, EmbeddedTarget)
        owners = {one.anchor: one.owner for one in opened.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
        return {owners[anchor]: one.times for anchor, one in opened.given_passwords().items()}


def employee(context: Context) -> str:
    """Somebody with accounts in AD and Entra ID."""
    both = given(context, "ad").keys() & given(context, "entra").keys()
    return min(str(one) for one in both)


def test_a_run_gives_every_new_account_a_password(place: Place):
    """One for each person, however many accounts; each target was given it once, and the audit says so."""
    context = place.context
    everybody = set().union(*(given(context, target) for target in ("ad", "entra", "google")))
    assert kept(context).keys() == everybody
    assert {row.person_id for row in audit(context, "make")} == everybody
    assert len(audit(context, "make")) == len(everybody)
    assert {*given(context, "ad").values()} == {1}
    assert len(audit(context, "send")) == sum(len(given(context, one)) for one in ("ad", "entra", "google"))


def test_pupils_have_a_policy_of_their_own(place: Place):
    """What a child can type, and what a grown-up has to change."""
    context = place.context
    staff, pupil = kept(context)[employee(context)], kept(context)[min(map(str, given(context, "google")))]
    assert len(staff.value) == 12
    assert "-" not in staff.value
    assert len({row.person_id for row in audit(context, "make")}) > 1
    words = pupil.value.split("-")
    assert len(words) in {1, 4}


def test_a_password_is_shown_to_whoever_says_why(place: Place):
    """With the accounts it is for; the audit has who, whose and why, and the state when it was first shown."""
    context = place.context
    who = employee(context)
    shown = passwords.show(context, who, "passport seen")
    again = passwords.show(context, who, "and once more")
    assert shown.secret == again.secret == kept(context)[who]
    assert set(shown.holder.accounts) == {"ad", "entra"}
    assert shown.secret.value not in repr(shown)
    first, second = audit(context, "show")
    assert (first.person_id, first.actor) == (who, context.actor)
    assert b"passport seen" in first.detail
    assert b"once more" in second.detail
    assert again.holder.kept.shown_at == first.at


def test_nobody_reads_without_a_reason(place: Place):
    """Neither one nor a list; nothing is audited as read."""
    for refused in (
        lambda: passwords.show(place.context, employee(place.context), " "),
        lambda: passwords.read_list(place.context, "", unit="1000"),
        lambda: passwords.reset(place.context, employee(place.context), ""),
    ):
        with pytest.raises(NoSecret, match="say why"):
            refused()
    assert not {row.action for row in audit(place.context)} & {"show", "list", "reset"}


def test_only_those_read_whom_the_configuration_names(place: Place):
    """Whoever else may use the installation can still see who has one; the audit tells what they were denied."""
    config = place.folder / "config.yaml"
    config.write_text(
        config.read_text(encoding="utf-8").replace("shown_to: null", "shown_to: [kari]"), encoding="utf-8"
    )
    context = place.context
    with pytest.raises(NotAllowed, match="shown_to"):
        passwords.show(context, employee(context), "curious")
    with pytest.raises(NotAllowed):
        passwords.read_list(context, "curious", unit="1000")
    with pytest.raises(NotAllowed):
        passwords.show(context, "somebody else", "curious")
    assert [(row.person_id, row.object) for row in audit(context, "deny")] == [
        (employee(context), f"account:{employee(context)}"),
        (None, "password:1000"),
        (None, "password:"),
    ]
    assert passwords.holders(context, unit="1000")
    context.actor = "kari"
    assert passwords.show(context, employee(context), "passport seen").secret


def test_the_list_of_a_class_has_its_pupils(place: Place):
    """Not its teachers; each password on it is audited as listed."""
    context = place.context
    with context.reading() as database, database.read() as connection:
        code = connection.scalars(select(tables.class_groups.c.code).order_by(tables.class_groups.c.code)).first()
    found = passwords.read_list(context, "for the class teacher", class_group=code)
    assert found
    assert {one.holder.person: one.secret for one in found}.items() <= kept(context).items()
    assert all(one.holder.accounts for one in found)
    assert [row.person_id for row in audit(context, "list")] == [one.holder.person for one in found]
    with pytest.raises(NotFound, match="class group"):
        passwords.holders(context, class_group="9Z")


def test_the_list_of_a_unit_has_those_below_it(place: Place):
    """Of the whole municipality everybody who works there, of a part of it fewer."""
    context = place.context
    with context.reading() as database, database.read() as connection:
        codes = list(connection.scalars(select(tables.units.c.code).distinct()))
    numbers = {code: len(passwords.holders(context, unit=code)) for code in codes}
    assert numbers["1000"] == max(numbers.values()) > min(numbers.values())
    with pytest.raises(NotFound, match="unit"):
        passwords.holders(context, unit="none")


def test_a_reset_gives_all_accounts_another_one(place: Place):
    """The same for all of them; what was kept before can be shown no more."""
    context = place.context
    who = employee(context)
    before = kept(context)[who]
    done = passwords.reset(context, who, "forgotten")
    after = kept(context)[who]
    assert not done.left
    assert {change.target for change in done.changes} == {"ad", "entra"}
    assert before != after
    assert (given(context, "ad")[who], given(context, "entra")[who]) == (2, 2)
    assert [row.action for row in audit(context) if row.person_id == who][-5:] == [
        "replace",
        "reset",
        "make",
        "send",
        "send",
    ]


def test_a_reset_in_one_target_leaves_the_others_alone(place: Place):
    """As it was asked for; a target without an account of the person is told so."""
    context = place.context
    who = employee(context)
    assert [change.target for change in passwords.preview_reset(context, who, "ad").changes] == ["ad"]
    passwords.reset(context, who, "forgotten", "ad")
    assert (given(context, "ad")[who], given(context, "entra")[who]) == (2, 1)
    with pytest.raises(NoSecret, match="no account in google"):
        passwords.reset(context, who, "forgotten", "google")
    with pytest.raises(NotFound, match="target"):
        passwords.reset(context, who, "forgotten", "none")


def test_a_reset_outlives_the_next_plan(place: Place):
    """No plan would ask for it again: it stays in the queue until it is delivered; asked for twice, it is done once."""
    context = place.context
    who = employee(context)
    passwords.reset(context, who, "forgotten", terms=LATER)
    passwords.reset(context, who, "forgotten again", terms=LATER)
    with pytest.raises(NoSecret, match="replaced"):
        passwords.show(context, who, "not there yet")
    place.edit("employees.yaml", "title: \"{{ affiliation.title | default('Ansatt') }}\"", "title: Ansatt")
    place.sync()
    deliver(place.context)
    assert (given(context, "ad")[who], given(context, "entra")[who]) == (2, 2)
    assert passwords.show(place.context, who, "passport seen").secret


def test_a_preview_makes_no_password(place: Place):
    """Neither of a reset nor of a plan."""
    context = place.context
    before = audit(context)
    passwords.preview_reset(context, employee(context))
    sync(context, lambda _: False)
    assert audit(context) == before


def test_a_destroyed_password_is_shown_no_more(place: Place):
    """The account keeps it."""
    context = place.context
    who = employee(context)
    assert passwords.destroy(context, who, "handed over")
    assert not passwords.destroy(context, who, "once more")
    with pytest.raises(NoSecret, match="destroyed"):
        passwords.show(context, who, "forgotten")
    assert given(context, "ad")[who] == 1
    assert len(audit(context, "destroy")) == 1


def test_a_used_password_is_destroyed(place: Place):
    """Where a target tells that its owner has signed in; one that was given since then is not."""
    context = place.context
    who = employee(context)
    with context.make_target("ad") as target:
        assert isinstance(target, EmbeddedTarget)
        owners = {one.owner: one.anchor for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
        target.sign_in(owners[who])
    number = len(kept(context))
    place.clock.moment += timedelta(hours=1)
    reconcile(context, dry_run=True)
    assert passwords.show(context, who, "not yet told").secret
    reconcile(context)
    with pytest.raises(NoSecret, match="used"):
        passwords.show(context, who, "forgotten")
    assert len(kept(context)) == number - 1
    assert [row.target for row in audit(context, "use")] == ["ad"]
    passwords.reset(context, who, "forgotten")
    reconcile(context)
    assert passwords.show(context, who, "passport seen").secret


def test_a_reading_that_is_not_believed_destroys_no_password(place: Place):
    """Where a target is suddenly half empty, what it says of passwords is no surer."""
    context = place.context
    who = employee(context)
    with context.make_target("ad") as target:
        assert isinstance(target, EmbeddedTarget)
        owners = {one.owner: one.anchor for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}
        target.sign_in(owners[who])
        gone = [anchor for owner, anchor in owners.items() if owner != who]
        for anchor in gone:
            list(target.apply([Operation(anchor, Kind.ACCOUNT, Action.DELETE, anchor=anchor)]))
    place.clock.moment += timedelta(hours=1)

    (found,) = reconcile(context, only="ad")

    assert found.held
    assert passwords.show(context, who, "not yet told").secret


def test_housekeeping_destroys_what_nobody_has_used(place: Place):
    """On the last day, and not before; it says how many."""
    number = len(kept(place.context))
    place.clock.moment += timedelta(days=29)
    assert preview(place.context).passwords == 0
    place.clock.moment += timedelta(days=2)
    assert preview(place.context).passwords == number
    with pytest.raises(NoSecret, match="could be read until"):
        passwords.show(place.context, employee(place.context), "late")
    assert housekeep(place.context).passwords == number
    assert len(audit(place.context, "expire")) == number
    assert housekeep(place.context).passwords == 0


def test_passwords_outlive_a_new_key(place: Place):
    """They are sealed anew before the old key goes."""
    before = kept(place.context)
    rekeying.rotate(place.context)
    assert rekeying.retire(place.context).resealed["passwords"] == len(before)
    assert kept(place.context) == before


# ---------------------------------------------------------------- nowhere else


@pytest.fixture(params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A town that logs all there is to log, on either database, after a run that failed in part."""
    monkeypatch.chdir(place.folder)
    config = place.folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace("level: info", "level: debug")
    if request.param == "postgresql":
        text = text.replace("sqlite:///var/eadm-sync.db", request.getfixturevalue("postgresql_url"))
    fails = "\n    faults: {fail: [{kind: rejected, every: 7}]}\n"
    config.write_text(text.replace("\n    path: var/ad.db\n", f"\n    path: var/ad.db{fails}"), encoding="utf-8")
    if request.param == "postgresql":
        for target in (place.folder / "var").glob("*.db*"):
            target.unlink()
        place.sync(deliver=True)
    return place


def everything(place: Place) -> Iterator[tuple[str, bytes]]:
    """All that the installation has written anywhere: files, and every row of the state."""
    for path in Path(place.folder).rglob("*"):
        if path.is_file():
            yield str(path.relative_to(place.folder)), path.read_bytes()
    context = open_context(place.folder / "config.yaml", place.clock)
    with context.reading() as database, database.read() as connection:
        for table in complete_metadata().sorted_tables:
            for row in connection.execute(select(table)):
                opened = [context.vault.decrypt(row.payload, b"queue payload")] if table.name == "queue_items" else []
                yield table.name, repr([*row, *opened]).encode()


def test_no_password_is_written_anywhere(busy: Place, capfd: pytest.CaptureFixture[str]):
    """Not in the database, the targets, logs, the queue's payloads, plans, reports, errors or what is printed."""
    context = busy.context
    secrets = {one.value for one in kept(context).values()}
    who = employee(context)
    for reason in ("forgotten", "forgotten again"):
        passwords.reset(context, who, reason)
        secrets |= {one.value for one in kept(context).values()}
    secrets.add(passwords.show(context, who, "passport seen").secret.value)
    assert len(secrets) > 50
    printed = capfd.readouterr()
    places = [*everything(busy), ("printed", (printed.out + printed.err).encode())]
    assert len(places) > 1000
    needles = [secret.encode() for secret in secrets]
    found = {name for name, data in places if any(needle in data for needle in needles)}
    assert found == set()
