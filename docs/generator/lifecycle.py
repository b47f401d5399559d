"""`docs/lifecycle.md`: the stages and what leads from one to another, as the engine's own tables have them."""

from __future__ import annotations

from docs.generator.markdown import code, plain, table
from eadm_sync.stages import STAGES, TRANSITIONS


def stages_reference() -> str:
    """Every stage, in the order in which they are asked."""
    header = ("stage", "when", "accounts", "groups and licences", "lost access is kept for the overlap")
    rows = (
        (code(row.stage), plain(row.when), row.accounts, row.access, "yes" if row.overlaps else "no") for row in STAGES
    )
    return table(header, rows)


def transitions_reference() -> str:
    """What leads from one stage to another."""
    rows = ((code(row.before), code(row.after), row.cause, plain(row.when)) for row in TRANSITIONS)
    return table(("from", "to", "by", "when"), rows)


def diagram() -> str:
    """The main ways as a Mermaid diagram."""
    drawn = [row for row in TRANSITIONS if row.label]
    lines = [f"    {_node(row.before)} --> {_node(row.after)}: {row.label}" for row in drawn]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> future", *lines, *_FATES, "```"])


_FATES = (
    "    ended --> deleted: retention_days",
    "    deleted --> purged: purge_days",
    "    purged --> [*]",
)
"""What becomes of accounts, and then of the data of whoever had them: no stages of a person that can be looked at."""


def _node(stage: str) -> str:
    return stage.replace("-", "")
