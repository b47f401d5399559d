"""The installation's keys: new, list, prepare, rotate, retire; and what they open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eadm_sync.cli.exits import DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_list, line, many, note, table

keys = typer.Typer(help="The keys that sensitive values are encrypted with.", no_args_is_help=True)


@keys.command("new")
def key_new(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The new key file. Default: the configuration's.", show_default=False),
    ] = None,
    config: Config = CONFIG,
) -> int:
    """Make a fresh key file, readable by its owner only. An existing one is never overwritten.

    Sensitive values are encrypted with it. Keep a copy in a safe place: without it they are lost.

    Example: eadm-sync key new

    Exit codes: 0 written, 1 it is there already or cannot be written.
    """
    from eadm_sync.config.keys import write_key_file

    if file is None:
        loaded = installation(config).loaded
        file = loaded.path(loaded.settings.state.key_file)
    made = write_key_file(file)
    line(f"{clean(file)}  (key {made.id}; keep a copy in a safe place)")
    return DONE


@keys.command("list")
def key_list(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """List the keys of the key file by their ids, the newest first, and what each is for.

    `seals`: what is new is encrypted with it; `opens`: what is older was; `next`: prepared, not used yet; `digests`:
    what keyed hashes are made with.

    Example: eadm-sync key list

    Exit codes: 0 listed, 1 error.
    """
    from eadm_sync.app.rekeying import keys as listed

    found = listed(installation(config))
    if as_ is Format.JSON:
        json_list(found)
    else:
        table(("key", "use"), ((one.id, one.use) for one in found))
    return DONE


@keys.command("prepare")
def key_prepare(config: Config = CONFIG) -> int:
    """Add a key to the key file that is not used yet. Needed only where several machines share one state.

    Copy the key file to all of them, then call `key rotate` on one: the others follow with their next run.

    Example: eadm-sync key prepare

    Exit codes: 0 added, 1 there is one already, or the file cannot be written.
    """
    from eadm_sync.app.rekeying import prepare

    made = prepare(installation(config))
    line(f"key {made.id} is prepared; copy the key file to every machine, then, on one: eadm-sync key rotate")
    return DONE


@keys.command("rotate")
def key_rotate(config: Config = CONFIG) -> int:
    """Encrypt with a new key from now on: the prepared one, or else a fresh one. Audited.

    What is encrypted with older keys is read as before. Running daemons go on and take the new key up by themselves.

    Example: eadm-sync key rotate

    Exit codes: 0 done, 1 it is not the key file of this state, or it cannot be written.
    """
    from eadm_sync.app.rekeying import rotate

    made = rotate(installation(config))
    line(f"key {made.id} encrypts from now on; keep a copy of the key file in a safe place")
    note("what older keys encrypted is encrypted anew by: eadm-sync key retire")
    return DONE


@keys.command("open")
def key_open(
    value: Annotated[str, typer.Argument(help="What stands in the target; `-` reads it from standard input.")],
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Read a value that was sent encrypted (`send: {ATTRIBUTE: encrypted}`). Audited.

    Example: eadm-sync key open eadm1.CG…

    Exit codes: 0 shown, 1 it is none of ours, was altered, or its key was retired.
    """
    from eadm_sync.app.disclosing import disclose

    shown = disclose(installation(config), sys.stdin.read() if value == "-" else value)
    if as_ is Format.JSON:
        json_list([{"value": shown}])
    else:
        line(clean(shown))
    return DONE


@keys.command("retire")
def key_retire(config: Config = CONFIG) -> int:
    """Encrypt anew all that older keys encrypted, then take those keys out of the key file. Audited.

    Delivery goes on meanwhile; planning waits. Backups of the database that are older need the older keys: keep a copy
    of the former key file for as long as you keep them.

    Example: eadm-sync key retire

    Exit codes: 0 done, or there was nothing to do; 1 something failed, or changes were being delivered for too long:
    the older keys stay, and it can be called again.
    """
    from eadm_sync.app.rekeying import retire
    from eadm_sync.cli.progress import watched

    with watched() as progress:
        done = retire(installation(config), progress=progress)
    rows = sum(done.resealed.values())
    if done.left:
        note(f"error: {many(done.left, 'change')} may still bring values of older keys back: call it again later")
        note(f"{many(rows, 'row')} encrypted anew; the key file is as it was")
        return FAILED
    if not done.keys:
        line("there is no older key")
        return DONE
    line(f"retired: {', '.join(done.keys)}; {many(rows, 'row')} encrypted anew")
    note("backups made before today need the former key file")
    return DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(keys, name="key")
