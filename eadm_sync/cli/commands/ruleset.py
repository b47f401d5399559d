"""For ruleset authors: tests, comparison, lint, and what came to be how."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.exits import CHANGES, DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import json_document, json_list, line, note, styled, table

if TYPE_CHECKING:
    from eadm_sync.app.auditing import AuditRow


class CompareFormat(StrEnum):
    """How a comparison is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


SHOWN = 20
"""People in a table or a document, where nobody says how many."""


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    rules = typer.Typer(help="Test, compare and check rulesets.", no_args_is_help=True, rich_markup_mode=None)
    rules.command("test")(run_tests)
    rules.command("compare")(compare)
    rules.command("lint")(lint)
    program.add_typer(rules, name="ruleset")
    past = typer.Typer(help="What came to be how, when and by whom.", no_args_is_help=True, rich_markup_mode=None)
    past.command("rule")(history_rule)
    past.command("person")(history_person)
    past.command("account")(history_account)
    past.command("group")(history_group)
    past.command("access")(history_access)
    program.add_typer(past, name="history")


def run_tests(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and folders. Default: tests/ by the rules.")
    ] = None,
    config: Config = CONFIG,
    form: As = Format.TABLE,
    rulesets: Annotated[
        list[Path] | None, typer.Option("--rulesets", metavar="DIR", help="Rules to test in place of your own.")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(metavar="PERSON", help="Print a test made from this person, under invented names, instead."),
    ] = None,
) -> int:
    """Run tests of rulesets: invented people on a day, and what they shall and shall not get.

    Example: eadm-sync ruleset test rulesets/tests/pupils.yaml

    Exit codes: 0 all passed, 1 one failed, or the rules or the tests are wrong.
    """
    from eadm_sync.app.recording import record_case
    from eadm_sync.app.ruleset_tests import CaseResult, run_cases
    from eadm_sync.cli.showing.rulesets import show_case
    from eadm_sync.cli.showing.waiting import Bars

    context = installation(config)
    if record is not None:
        line(record_case(context, record).rstrip("\n"))
        return DONE
    with Bars() as bars:
        results: list[CaseResult] = list(run_cases(context, paths or (), rulesets=rulesets or (), progress=bars))
    failed = [result for result in results if not result.passed]
    if form is Format.JSON:
        json_list({"passed": result.passed, **_fields(result)} for result in results)
    else:
        for result in failed:
            show_case(result)
        line(
            styled(f"{len(results)} passed", "green")
            if not failed
            else styled(f"{len(failed)} of {len(results)} failed", "red")
        )
    return FAILED if failed else DONE


def _fields(value: object) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else {}


def compare(
    rulesets: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Files and folders of the other rules.")],
    config: Config = CONFIG,
    form: Annotated[
        CompareFormat, typer.Option("--format", "-f", help="Text, JSON, or Markdown for a pull request.")
    ] = CompareFormat.TABLE,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help=f"Show so many people. Default: {SHOWN}, in JSON all.")
    ] = None,
) -> int:
    """Show who would gain and lose what if other rules were in force; do nothing.

    People and names are those of the last accepted import. As `plan --rulesets DIR`.

    Example: eadm-sync ruleset compare ../pull-request/rulesets --format markdown

    Exit codes: 0 nobody gets anything else, 2 somebody does, 1 something is wrong.
    """
    return show_comparison(config, rulesets, form, limit)


def show_comparison(config: Path, rulesets: list[Path], form: CompareFormat, limit: int | None) -> int:
    """Compares and shows; returns the exit code."""
    from eadm_sync.app.comparing import compared
    from eadm_sync.cli.showing import rulesets as showing
    from eadm_sync.cli.showing.waiting import Bars
    from eadm_sync.plan.saved import as_json

    context = installation(config)
    with Bars() as bars, compared(context, rulesets, progress=bars) as made:
        bars.stop()
        if form is CompareFormat.JSON:
            frames = (*map(as_json, made.groups[:limit]), *map(as_json, islice(made.frames, limit)))
            json_document({**showing.summary_data(made), "changes": frames})
        elif form is CompareFormat.MARKDOWN:
            showing.show_comparison_markdown(made, SHOWN if limit is None else limit)
        else:
            table(("rule", "edit", "old", "new"), ((one.id, one.edit, one.old, one.new) for one in made.edits))
            table(showing.EFFECTS, showing.effect_rows(made))
            showing.show_people(made, SHOWN if limit is None else limit)
            line(showing.verdict(made))
        return CHANGES if made.differs else DONE


def lint(config: Config = CONFIG, form: As = Format.TABLE) -> int:
    """Look for what is doubtful in the rules, seen against the people that there are.

    Rules that hold for nobody, licences behind an exclusive one, groups without members, attributes that two rules set
    differently, names that need a number, people who get nothing, and `!=` on fields that are often missing.

    Example: eadm-sync ruleset lint --format json

    Exit codes: 0 nothing found, 2 something is worth a look, 1 something is wrong.
    """
    from eadm_sync.app.linting import lint as findings_of
    from eadm_sync.cli.showing.rulesets import FINDINGS, finding_row
    from eadm_sync.cli.showing.waiting import Bars

    context = installation(config)
    with Bars() as bars:
        findings = list(findings_of(context, progress=bars))
    if form is Format.JSON:
        json_list(findings)
    elif findings:
        table(FINDINGS, map(finding_row, findings))
    else:
        note("nothing found")
    if any(one.is_error for one in findings):
        return FAILED
    return CHANGES if findings else DONE


# ---------------------------------------------------------------- history


def history_rule(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A rule, condition or identifier.")],
    config: Config = CONFIG,
    form: As = Format.TABLE,
) -> int:
    """Show each version in which a rule changed: when, by whom, and the difference.

    Example: eadm-sync history rule employees/employee-ad

    Exit codes: 0 shown, 1 nothing is called that.
    """
    from eadm_sync.app.history import history_of_rule
    from eadm_sync.cli.showing.rulesets import show_version

    versions = history_of_rule(installation(config), name)
    if form is Format.JSON:
        json_list(versions)
    else:
        for version in versions:
            show_version(version)
    return DONE


Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Id, key in a source, username or other identifier, or full name.")
]


def history_person(person: Person, config: Config = CONFIG, form: As = Format.TABLE) -> int:
    """Show all that was done for a person, from the audit.

    Example: eadm-sync history person hr:1001

    Exit codes: 0 shown, 1 nobody or several are called that.
    """
    from eadm_sync.app.history import history_of_person

    return _show_audit(history_of_person(installation(config), person), form)


def history_account(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An anchor, or the person.")],
    config: Config = CONFIG,
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only in this target.")] = None,
    form: As = Format.TABLE,
) -> int:
    """Show all that was done to an account, from the audit.

    Example: eadm-sync history account karhan --target ad

    Exit codes: 0 shown, 1 there is no such account.
    """
    from eadm_sync.app.history import history_of_account

    return _show_audit(history_of_account(installation(config), account, target), form)


def history_group(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's key.")],
    config: Config = CONFIG,
    form: As = Format.TABLE,
) -> int:
    """Show all that was done to a group and its members, from the audit.

    Example: eadm-sync history group enhet-1301

    Exit codes: 0 shown, 1 there is no such group.
    """
    from eadm_sync.app.history import history_of_group

    return _show_audit(history_of_group(installation(config), group), form)


def history_access(
    person: Person,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A target, a group's key, or a product.")],
    config: Config = CONFIG,
    form: As = Format.TABLE,
) -> int:
    """Show how somebody came to an account, group or licence: the rule, its line then, and who changed it when.

    Example: eadm-sync history access hr:1001 SPE_E3

    Exit codes: 0 shown, 1 they have nothing of that name.
    """
    from eadm_sync.app.history import history_of_access
    from eadm_sync.cli.showing.rulesets import show_access

    found = history_of_access(installation(config), person, what)
    if form is Format.JSON:
        json_list(found)
    else:
        for access in found:
            show_access(access)
    return DONE


def _show_audit(rows: Iterator[AuditRow], form: Format) -> int:
    from eadm_sync.cli.showing.rulesets import AUDIT, audit_row

    if form is Format.JSON:
        json_list(rows)
    else:
        table(AUDIT, map(audit_row, rows))
    return DONE
