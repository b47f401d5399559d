"""Where somebody comes from, in words: source records, rows with file and line, filters, quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, plain, styled
from eadm_sync.cli.showing.preview import shown
from eadm_sync.cli.showing.reasons import held_by, mark, moment

if TYPE_CHECKING:
    from eadm_sync.app.explaining import Explained
    from eadm_sync.app.tracing import Found, QuarantineRow, SourceRow, Stranger
    from eadm_sync.expression import Clause


def origin_lines(why: Explained) -> Iterator[str]:
    """A person's source records, and what was wrong with them."""
    yield "From the sources:"
    for record in why.records:
        absent = f", absent since {clean(record.absent_since)}" if record.absent_since else ""
        yield f"  {mark(not record.absent_since)} {clean(record.source)}, key {clean(record.key)}{absent}"
        for hold in why.holds:
            if not hold.target and hold.name.rpartition(".")[0] == record.source:
                yield f"    absences of this source: {held_by(hold)}"
    if not why.records:
        yield f"  {mark(False)} no source has them any more"
    yield from quarantine_lines(why.quarantined)
    if why.found is not None:
        yield from found_lines(why.found)


def quarantine_lines(rows: Iterable[QuarantineRow]) -> Iterator[str]:
    """What imports left out."""
    for row in rows:
        place = f"{clean(row.file)}:{row.line}: " if row.file else ""
        field = f"{clean(row.field)} " if row.field else ""
        yield styled(f"  in quarantine since {moment(row.since)}: {place}{field}{clean(row.reason)}", "yellow")


def found_lines(found: Found) -> Iterator[str]:
    """Rows as they read now, and which of them are filtered by what."""
    if not found.rows:
        yield "  no row of theirs is in the sources now"
    for row in found.rows:
        yield f"  {mark(not row.is_filtered)} {_place(row)}: {_ROLES[row.role]}{_filtered(row)}"
        if row.is_filtered:
            for clause in row.clauses:
                yield from clause_lines(clause, "      ")
    for source, reason in sorted(found.failures.items()):
        yield styled(f"  source {clean(source)} cannot be read now: {clean(reason)}", "red")


def _place(row: SourceRow) -> str:
    return f"{clean(row.file)}:{row.line}" if row.file else f"{clean(row.source)}, row {row.line}"


def _filtered(row: SourceRow) -> str:
    return f", filtered by the condition in {clean(row.where)}" if row.is_filtered else ""


_ROLES = {"people": "the person", "affiliations": "an affiliation", "class_memberships": "a class group of theirs"}


def stranger_lines(stranger: Stranger) -> Iterator[str]:
    """What is known of somebody whom the state does not have."""
    yield styled(f"{clean(stranger.name)}: {_why_unknown(stranger)}", "bold")
    yield from quarantine_lines(stranger.quarantined)
    yield from found_lines(stranger.found)


def _why_unknown(stranger: Stranger) -> str:
    """Why the state does not have them, in a sentence."""
    people = [row for row in stranger.found.rows if row.role == "people"]
    if people and all(row.is_filtered for row in people):
        return "is in a source, but the configuration filters the row: there will be no accounts."
    if stranger.quarantined:
        return "is not imported: the row is in quarantine. Put it right in the source."
    if people:
        return "is in a source, but not imported yet: the next `sync` takes the row over."
    return "has rows in a source, but none that makes a person."


def stranger_data(stranger: Stranger) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "name": stranger.name,
        "known": False,
        "verdict": _why_unknown(stranger),
        "quarantined": [plain(row) for row in stranger.quarantined],
        **found_data(stranger.found),
    }


def found_data(found: Found | None) -> dict[str, Any]:
    """Rows for JSON; None where nobody looked."""
    if found is None:
        return {"source_rows": None, "source_failures": {}}
    rows = [
        {
            "source": row.source,
            "key": row.key,
            "role": row.role,
            "file": row.file or None,
            "line": row.line,
            "filtered": row.is_filtered,
            "where": row.where,
            "clauses": [clause_data(clause) for clause in row.clauses],
        }
        for row in found.rows
    ]
    return {"source_rows": rows, "source_failures": dict(found.failures)}


# ---------------------------------------------------------------- clauses


def clause_lines(clause: Clause, indent: str) -> Iterator[str]:
    """A clause with what it saw, and those of the condition that it names."""
    seen = ", ".join(f"{clean(name)} = {_seen(value)}" for name, value in clause.values)
    yield f"{indent}{mark(clause.truth)} {clean(clause.text)}" + (styled(f"    {seen}", "dim") if seen else "")
    for part in clause.clauses:
        yield from clause_lines(part, f"{indent}  ")


def _seen(value: object) -> str:
    return "(missing)" if value is None else shown(value)


def clause_data(clause: Clause) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "text": clause.text,
        "truth": clause.truth,
        "values": dict(clause.values),
        "clauses": [clause_data(part) for part in clause.clauses],
    }
