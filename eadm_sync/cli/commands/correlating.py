"""First contact with a filled directory: whose the accounts are that are there, and what somebody says about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.exits import CHANGES, DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, note

if TYPE_CHECKING:
    from eadm_sync.app.reviewing import Decided, Review


class CorrelationFormat(StrEnum):
    """How matches are shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


correlate = typer.Typer(invoke_without_command=True)

Who = Annotated[str, typer.Argument(metavar="PERSON", help="Id, key in a source, username or name.")]
Anchor = Annotated[str, typer.Argument(metavar="ANCHOR", help="The account's anchor, as `correlate` shows it.")]
Of = Annotated[str, typer.Option("--target", metavar="TARGET", help="Where the account is.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]


@correlate.callback()
def report(
    context: typer.Context,
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only this target.")] = None,
    config: Config = CONFIG,
    form: Annotated[
        CorrelationFormat,
        typer.Option(
            "--format", "-f", help="A table for people; JSON or CSV with every account and what would change."
        ),
    ] = CorrelationFormat.TABLE,
) -> int:
    """Show whose the accounts are that targets hold already: which would be adopted, and which wait for your word.

    It reads the sources and the targets that have `correlation`, and changes nothing.

    \b
    eadm-sync correlate
    eadm-sync correlate --target ad --format csv > ad.csv
    eadm-sync correlate accept hr:1001 9f3c… --target ad --reason "the same person, asked"

    Exit codes: 0 nothing to do, 2 accounts would be adopted, 3 some wait for somebody's word, 1 something could not be
    read.
    """  # noqa: D301 - click reads the backslash
    if context.invoked_subcommand is not None:
        return DONE
    from eadm_sync.app.reviewing import review
    from eadm_sync.cli.showing import correlation as showing
    from eadm_sync.cli.showing.waiting import Bars

    with Bars() as bars:
        ours = installation(config)
        found = review(ours, only=target, progress=bars)
    if not any(one.correlation for one in ours.loaded.settings.targets.values()):
        note("no target has `correlation` in the configuration: nothing that is there already is looked at")
    match form:
        case CorrelationFormat.TABLE:
            showing.show_table(found)
        case CorrelationFormat.JSON:
            json_document(found)
        case CorrelationFormat.CSV:
            showing.show_csv(found)
    return _exit_code(found)


@correlate.command("accept")
def accept(who: Who, anchor: Anchor, target: Of, reason: Why, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Say that an account is somebody's: the next run takes it under management. Audited.

    Example: eadm-sync correlate accept hr:1001 9f3c2a --target ad --reason "the same person, asked"

    Exit codes: 0 kept, 1 there is no such account, or it is protected or somebody else's.
    """
    return _decide(who, anchor, target, "accept", reason, config, as_)


@correlate.command("reject")
def reject(who: Who, anchor: Anchor, target: Of, reason: Why, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Say that an account is not somebody's, whatever they have in common. Audited.

    Where nothing else is like theirs, the next run makes them an account of their own.

    Example: eadm-sync correlate reject hr:1001 9f3c2a --target ad --reason "a namesake"

    Exit codes: 0 kept, 1 there is no such account.
    """
    return _decide(who, anchor, target, "reject", reason, config, as_)


@correlate.command("leave")
def leave(who: Who, anchor: Anchor, target: Of, reason: Why, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Say that an account is somebody's and is to be left alone: they get no other one in this target. Audited.

    Example: eadm-sync correlate leave hr:1001 9f3c2a --target ad --reason "an administrator's, kept by hand"

    Exit codes: 0 kept, 1 there is no such account.
    """
    return _decide(who, anchor, target, "leave", reason, config, as_)


@correlate.command("forget")
def forget(who: Who, anchor: Anchor, target: Of, reason: Why, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Take back what was said about a person and an account: the match rules count again. Audited.

    An account that was taken under management meanwhile stays so.

    Example: eadm-sync correlate forget hr:1001 9f3c2a --target ad --reason "a slip"

    Exit codes: 0 done, or nothing had been said; 1 there is no such person.
    """
    from eadm_sync.app.reviewing import take_back

    return _tell(take_back(installation(config), who, anchor, target, reason), as_)


def _decide(who: str, anchor: str, target: str, word: str, reason: str, config: Config, as_: Format) -> int:
    from eadm_sync.app.reviewing import decide
    from eadm_sync.cli.showing.waiting import Bars
    from eadm_sync.correlation import Decision

    with Bars() as bars:
        done = decide(installation(config), who, anchor, target, Decision(word), reason, bars)
    return _tell(done, as_)


def _tell(done: Decided, as_: Format) -> int:
    if as_ is Format.JSON:
        json_document(done)
        return DONE
    account = clean(done.account or done.anchor)
    said = {"accept": "is taken under management for", "reject": "is not that of", "leave": "is left alone for"}
    if done.decision is None:
        word = "nothing is said any more of" if done.changed else "nothing had been said of"
        line(f"{clean(done.target)}: {word} {account} and {clean(done.person)}")
    else:
        again = "" if done.changed else ", as was said before"
        line(f"{clean(done.target)}: {account} {said[str(done.decision)]} {clean(done.person)}{again}")
        line("The next run goes by it: see 'eadm-sync plan'")
    return DONE


def _exit_code(found: Review) -> int:
    for target, why in found.errors.items():
        note(f"{clean(target)}: {clean(why)}")
    for problem in found.problems:
        note(clean(problem))
    if found.errors or found.problems:
        return FAILED
    if found.is_waiting:
        return HELD
    return CHANGES if any(one.state == "adopt" for one in found.lines) else DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(correlate, name="correlate")
