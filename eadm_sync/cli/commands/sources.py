"""Sources that were taken out of the configuration: sources list, sources forget."""

from __future__ import annotations

from typing import Annotated

import typer

from eadm_sync.cli.asking import ask, require_terminal
from eadm_sync.cli.exits import DECLINED, DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, json_list, line, many, note, section

sources = typer.Typer(help="Sources that were taken out of the configuration.", no_args_is_help=True)


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(sources, name="sources")


@sources.command("list")
def list_(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show the sources that are not configured any more, with how many people they are still believed to have.

    Example: eadm-sync sources list

    Exit codes: 0 done, 1 error.
    """
    from eadm_sync.app.sources import left_sources

    found = left_sources(installation(config))
    if as_ is Format.JSON:
        json_list(found)
    else:
        rows = [(clean(one.name), str(one.people), str(one.alone)) for one in found]
        section("Sources without configuration", ("source", "people", "in no other"), rows, empty="none")
    return DONE


@sources.command()
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source, as it was called.")],
    config: Config = CONFIG,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    as_: As = Format.TABLE,
) -> int:
    """End what a source has told that is not configured any more: its people are missing from it since today.

    Until then they keep what they have, since a source that is not read tells nothing. The next run plans what follows,
    and brakes hold what is too much of it. Who is in another source, too, keeps what that gives.

    Example: eadm-sync sources forget oldhr --reason "replaced by the new HR system on 1 August"

    Exit codes: 0 done, 1 error, 4 declined.
    """
    from eadm_sync.app.sources import forget_source, left_sources

    if not (reason and reason.strip()):
        note("error: say why, with --reason; it is kept in the audit. Nothing was done.")
        return FAILED
    context = installation(config)
    left = next((one for one in left_sources(context) if one.name == name), None)
    if left is not None and not yes:
        if left.near:
            note(f"{clean(left.near[0])} is configured, and called almost the same: is it not that one, misspelt?")
        require_terminal("say --yes")
        told = many(left.people, "person", "people")
        if not ask(f"End what {clean(name)} has told of {told}, {left.alone} of them in no other source? [y/N] "):
            return DECLINED
    found = forget_source(context, name, reason)
    if as_ is Format.JSON:
        json_document(found)
    else:
        line(
            f"{many(found.people, 'person', 'people')} of {clean(name)} are missing from it since today. "
            f"{found.alone} of them are in no other source, and end with the next run: see 'eadm-sync plan'"
        )
    return DONE
