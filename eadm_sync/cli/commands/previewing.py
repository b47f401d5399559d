"""Shows a plan that a command would carry out, and carries nothing out: the `--dry-run` of `undo` and `reexport`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from eadm_sync.cli.options import Format

if TYPE_CHECKING:
    from pathlib import Path

    from eadm_sync.app.context import Context
    from eadm_sync.app.planning import Planned
    from eadm_sync.cli.showing.preview import Preview
    from eadm_sync.cli.showing.waiting import Bars
    from eadm_sync.state.database import Database

Made = TypeVar("Made", bound="Planned")


def preview(
    context: Context,
    config: Path,
    form: Format,
    make: Callable[[Database, Bars], AbstractContextManager[Made]],
    *,
    more: Callable[[Made], Mapping[str, Any]],
    show: Callable[[Made, Preview], None],
) -> int:
    """Shows what would be done; returns the exit code, as `plan` ends.

    Args:
        context: The installation.
        config: Its configuration file, as it was named.
        form: JSON, or a table.
        make: Makes the plan.
        more: What the JSON tells beside the plan.
        show: Shows the table.

    Raises:
        EadmError: As making the plan.
    """
    from eadm_sync.app.narrowing import Selection, tally
    from eadm_sync.cli.showing.documents import show_json
    from eadm_sync.cli.showing.preview import Preview, config_option
    from eadm_sync.cli.showing.waiting import Bars

    with context.reading() as database, Bars() as bars, make(database, bars) as made:
        everything = Selection()
        shown = Preview(made, everything, tally(made.plan, everything), config_option(config))
        bars.stop()
        if form is Format.JSON:
            show_json(shown, more=dict(more(made)))
        else:
            show(made, shown)
        return shown.exit_code
