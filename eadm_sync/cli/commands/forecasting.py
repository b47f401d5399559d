"""A look at days to come: forecast."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eadm_sync.cli.exits import DONE
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, Config


class ForecastFormat(StrEnum):
    """How a forecast is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"


def register(program: typer.Typer) -> None:
    """Adds the command."""
    program.command()(forecast)


def forecast(
    days: Annotated[int, typer.Option(min=1, max=800, metavar="N", help="How many days to look ahead.")] = 60,
    by_week: Annotated[bool, typer.Option("--by-week", help="Count by week instead of by day.")] = False,
    config: Config = CONFIG,
    form: Annotated[
        ForecastFormat,
        typer.Option("--format", "-f", help="Counts for people; JSON or CSV with every event by person."),
    ] = ForecastFormat.TABLE,
) -> int:
    """Show what the next days bring: starts, ends, deactivations, deletions, and whether the licences will do.

    It goes from the last accepted import and the rules as they are; nothing is read from the sources, nothing written.
    What stands in a target already is not looked for: where there is correlation, an account is created or adopted.

    \b
    eadm-sync forecast --days 60
    eadm-sync forecast --days 300 --by-week --format markdown

    Exit codes: 0 shown, 1 error.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.forecasting import forecast as look_ahead
    from eadm_sync.cli.showing import forecast as showing
    from eadm_sync.cli.showing.waiting import Bars

    with Bars() as bars:
        found = look_ahead(installation(config), days, progress=bars)
    match form:
        case ForecastFormat.TABLE:
            showing.show_table(found, by_week=by_week)
        case ForecastFormat.MARKDOWN:
            showing.show_markdown(found, by_week=by_week)
        case ForecastFormat.CSV:
            showing.show_csv(found)
        case ForecastFormat.JSON:
            showing.show_json(found, by_week=by_week)
    return DONE
