"""First passwords: shown, listed for a class or a unit, reset, destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.asking import ask, require_terminal
from eadm_sync.cli.commands.looking import Person
from eadm_sync.cli.exits import DECLINED, DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, json_list, line, many, note, pairs, styled, table

if TYPE_CHECKING:
    from eadm_sync.app.passwords import Holder, Reset

password = typer.Typer(help="First passwords: shown, listed, reset, destroyed. Each is audited.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NewFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to this new file, for you alone to read.")]


@password.command("show")
def password_show(who: Person, reason: Why, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show the first password of somebody who has not used it yet. Audited before it is shown.

    Example: eadm-sync password show hr:1001 --reason "stands at the service desk, passport seen"

    Exit codes: 0 shown; 1 there is none (any more), or you may not read it.
    """
    from eadm_sync.app import passwords

    found = passwords.show(installation(config), who, reason)
    holder = found.holder
    if as_ is Format.JSON:
        json_document({**_facts(holder), "password": found.secret.value})
        return DONE
    line(styled(f"{clean(holder.person)}  {clean(holder.name)}", "bold"))
    pairs({f"account in {target}": name for target, name in holder.accounts.items()})
    pairs({"password": found.secret.value, "can be shown until": holder.kept.expires_at})
    if holder.kept.sent_at is None:
        note("no target has taken it yet: it cannot be used before that")
    return DONE


@password.command("list")
def password_list(
    unit: Annotated[str | None, typer.Option(metavar="CODE", help="Everybody in this unit, or below it.")] = None,
    class_group: Annotated[
        str | None, typer.Option("--class-group", metavar="CODE", help="The pupils of this class group.")
    ] = None,
    csv: NewFile = None,
    html: NewFile = None,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; kept in the audit. Needed with --csv and --html.")
    ] = "",
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List who in a unit or a class group has a first password; with --csv or --html, write them to a file to print.

    What is shown on the screen has no passwords. Each password that is written to a file is audited before. The file
    must not be there yet, and is readable by you alone; delete it when it is printed.

    Example: eadm-sync password list --class-group 5A --html 5a.html --reason "for the class teacher"

    Exit codes: 0 listed; 1 error, or you may not read passwords; 2 neither or both of --unit and --class-group.
    """
    from eadm_sync.app import passwords

    if (unit is None) == (class_group is None):
        raise typer.BadParameter("name one of --unit and --class-group", param_hint="--unit")
    if csv is not None and html is not None:
        raise typer.BadParameter("name one of --csv and --html", param_hint="--csv")
    context, file = installation(config), csv or html
    if file is not None:
        from eadm_sync.cli.showing.passwords import as_csv, as_html, write_new

        made = write_new(
            file,
            lambda: passwords.read_list(context, reason, unit=unit, class_group=class_group),
            as_csv if csv is not None else as_html,
        )
        line(f"{many(made, 'password')} written to {clean(file)}: delete it when it is printed")
        return DONE
    found = passwords.holders(context, unit=unit, class_group=class_group)
    if as_ is Format.JSON:
        json_list(map(_facts, found))
        return DONE
    rows = (
        (one.person, one.name, one.place, tuple(one.accounts.values()), one.kept.expires_at, one.kept.shown_at)
        for one in found
    )
    table(("person", "name", "where", "accounts", "kept until", "first shown"), rows)
    return DONE


@password.command("reset")
def password_reset(
    who: Person,
    reason: Why,
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Only the account in this target; all of them where left out.")
    ] = None,
    yes: Yes = False,
    no_deliver: Annotated[
        bool, typer.Option("--no-deliver", help="Leave the changes in the export queue, for `deliver` or a worker.")
    ] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Give somebody's accounts another password, ahead of everything else in the export queue. Audited.

    It shows what is to be done and asks. `password show` tells the new password once it is there. Reset in one target
    only, it differs from that in the others.

    Example: eadm-sync password reset hr:1001 --reason "forgotten"

    Exit codes: 0 done, 1 error, or a target has not been reached yet; 4 somebody said no.
    """
    from eadm_sync.app import passwords
    from eadm_sync.app.persons import Terms

    context = installation(config)
    if not yes:
        _show_reset(passwords.preview_reset(context, who, target))
        require_terminal("say --yes to do it without asking")
        if not ask("Do it? [y/N] "):
            note("nothing was done")
            return DECLINED
    done = passwords.reset(context, who, reason, target, Terms(deliver=not no_deliver))
    if as_ is Format.JSON:
        json_document(done)
    else:
        line(f"{many(len(done.changes), 'change')} put into the export queue")
    for name, why in done.left.items():
        note(f"{clean(name)} has not been reached yet: {clean(why)}")
    if not done.left and not no_deliver:
        note(f"done: eadm-sync password show {clean(done.person)} --reason ...")
    return FAILED if done.left else DONE


@password.command("destroy")
def password_destroy(who: Person, reason: Why, config: Config = CONFIG) -> int:
    """Destroy the first password that is kept of somebody; their accounts keep it. Audited.

    Example: eadm-sync password destroy hr:1001 --reason "handed over"

    Exit codes: 0 destroyed, or there was none; 1 error.
    """
    from eadm_sync.app import passwords

    line("destroyed" if passwords.destroy(installation(config), who, reason) else "there was none")
    return DONE


def _facts(one: Holder) -> dict[str, object]:
    """All but the password."""
    kept = one.kept
    return {
        "person": one.person,
        "name": one.name,
        "place": one.place or None,
        "accounts": one.accounts,
        "policy": kept.policy,
        "made_at": kept.made_at,
        "expires_at": kept.expires_at,
        "sent_at": kept.sent_at,
        "shown_at": kept.shown_at,
    }


def _show_reset(found: Reset) -> None:
    from eadm_sync.cli.showing.preview import title

    line(styled(f"{clean(found.person)}  {clean(found.name)}", "bold"))
    for change in found.changes:
        line(f"  ~ {title(change)} (policy {clean(found.policy)})")


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(password, name="password")
