"""What tools for ruleset authors found, in words: tests, comparisons, findings and history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, line, styled
from eadm_sync.cli.showing.markdown import escaped

if TYPE_CHECKING:
    from eadm_sync.app.auditing import AuditRow
    from eadm_sync.app.effects import Comparison, Effect
    from eadm_sync.app.history import Access, RuleVersion
    from eadm_sync.app.linting import Finding
    from eadm_sync.app.ruleset_tests import CaseResult
    from eadm_sync.plan.change import Frame, PersonFrame

EFFECTS = ("rule", "target", "kind", "effect", "what", "number")
FINDINGS = ("", "finding", "about", "where", "number", "examples")
AUDIT = ("at", "actor", "target", "kind", "action", "object", "rule", "detail")

_MOST_MARKDOWN_ROWS = 200  # a pull request's comment holds 65 536 characters

# ---------------------------------------------------------------- tests


def show_case(result: CaseResult) -> None:
    """One test that failed: each difference with expectation, what came, and the rule it comes from."""
    line(f"{styled('failed', 'red')} {clean(result.file)}:{result.line} {clean(result.case)}")
    for one in result.differences:
        line(f"  {clean(one.what)} ({clean(result.file)}:{one.line})")
        line(f"    expected: {clean(one.expected)}")
        rule = f"  by {clean(one.rule)}" if one.rule else ""
        line(f"    got:      {clean(one.got)}{rule}")


# ---------------------------------------------------------------- comparisons


def effect_rows(made: Comparison) -> Iterator[tuple[object, ...]]:
    """Every effect with how often it comes, by rule."""
    for effect, number in sorted(made.effects.items()):
        yield effect.rule, effect.target, str(effect.kind), in_a_word(effect), effect.what, number


def in_a_word(effect: Effect) -> str:
    """gained, lost, changed, enabled."""
    return _WORDS.get(str(effect.action), "lost")


_WORDS = {"create": "gained", "update": "changed", "enable": "enabled"}


def verdict(made: Comparison) -> str:
    """What the comparison comes to, in one sentence."""
    if not made.differs:
        return f"Nobody gets anything else: {made.people} people looked at."
    told = Counter[str]()
    for effect, number in made.effects.items():
        told[in_a_word(effect)] += number
    parts = [f"{told[word]} {word}" for word in ("gained", "lost", "changed", "enabled") if told[word]]
    parts += [f"{len(made.groups)} groups changed"] if made.groups else []
    parts += [f"{len(made.problems)} people cannot be served any more"] if made.problems else []
    return f"{made.frames.count} of {made.people} people get something else: {', '.join(parts)}."


def summary_data(made: Comparison) -> dict[str, Any]:
    """A comparison without its people, for JSON."""
    return {
        "old": made.old,
        "new": made.new,
        "differs": made.differs,
        "verdict": verdict(made),
        "edits": [{"id": one.id, "edit": one.edit, "old": one.old, "new": one.new} for one in made.edits],
        "people": made.people,
        "evaluated": made.evaluated,
        "people_affected": made.frames.count,
        "groups_changed": len(made.groups),
        "effects": [dict(zip(EFFECTS, row, strict=True)) for row in effect_rows(made)],
        "problems": [{"person": one.person, "reason": one.reason} for one in made.problems],
    }


def show_comparison_markdown(made: Comparison, most: int) -> None:
    """A comparison for a pull request: summary, effects by rule, and the first people."""
    from eadm_sync.cli.showing.preview import title, values

    line("## Effect of the ruleset change\n")
    line(f"**{verdict(made)}**\n")
    if not made.edits:
        return
    _markdown_table(("rule", "edit", "old", "new"), ((one.id, one.edit, one.old, one.new) for one in made.edits))
    if made.effects:
        _markdown_table(EFFECTS, effect_rows(made))
    if made.problems:
        line(f"{len(made.problems)} people whom the new rules cannot serve, and the old ones can:\n")
    for problem in made.problems[:most]:
        line(f"- **{escaped(problem.person)}**: {escaped(problem.reason)}")
    if not (made.frames.count and most):
        return
    line(f"<details><summary>The first {min(most, made.frames.count)} of {made.frames.count} people</summary>\n")
    for frame in first_people(made, most):
        line(f"- **{escaped(frame.name)}** ({escaped(frame.person)})")
        for change in frame.changes:
            told = "; ".join(f"{name}: {old or '–'} → {new}" for name, old, new in values(change))
            line(f"  - {escaped(title(change))} by {escaped(change.rule)}" + (f": {escaped(told)}" if told else ""))
    line("\n</details>")


def first_people(made: Comparison, most: int) -> tuple[PersonFrame, ...]:
    """The first so many people."""
    return tuple(islice(made.frames, most))


def show_people(made: Comparison, most: int) -> None:
    """The first people with their changes, and how many there are more."""
    from eadm_sync.cli.showing.text import frame_lines

    for problem in made.problems[:most]:
        line(f"{clean(problem.person)}: {clean(problem.reason)}")
    frames: list[Frame] = [*made.groups[:most], *first_people(made, most)]
    for frame in frames:
        for text in frame_lines(frame, ()):
            line(text)
    left = made.frames.count - most
    if left > 0:
        line(f"and {left} more people: see them with --limit or --format json")


def _markdown_table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    names = tuple(headings)
    line(f"| {' | '.join(names)} |")
    line(f"|{'---|' * len(names)}")
    every = list(rows)
    for row in every[:_MOST_MARKDOWN_ROWS]:
        line(f"| {' | '.join(escaped(cell) for cell in row)} |")
    if len(every) > _MOST_MARKDOWN_ROWS:
        line(f"| … and {len(every) - _MOST_MARKDOWN_ROWS} more |{' |' * (len(names) - 1)}")
    line()


# ---------------------------------------------------------------- findings


def finding_row(one: Finding) -> tuple[object, ...]:
    """One finding for a table."""
    where = f"{one.file}:{one.line}" if one.file else ""
    return "error" if one.is_error else "look", in_words(one), one.about, where, one.count, one.examples


def in_words(one: Finding) -> str:
    """What a finding means."""
    words = _FINDINGS[one.kind]
    return words.format(also=one.also, count=one.count, of=one.of)


_FINDINGS = {
    "never-holds": "holds for nobody",
    "shadowed": "gives nothing: {also} always comes first",
    "empty-group": "has no members any more (made by {also})",
    "conflict": "is set otherwise by {also} for the same affiliation",
    "overridden": "is not set: {also} sets it otherwise, by another affiliation",
    "numbered-names": "{count} of {of} people share a first candidate and get another name",
    "nothing-given": "{count} of {of} people get no account from any rule",
    "unnameable": "{count} of {of} people get nothing: every candidate of a name is taken",
    "missing-compared": "'!=' is false where {also} is missing: for {count} of {of} affiliations",
    "weak-password": "makes passwords that are easy to guess: {count} bits, of at least {of}",
    "unused-password": "is named by no rule",
    "disclosed": "sends national ids in clear to {also}, which everybody can read",
    "short-lived-passwords": "first passwords end after {count} days, accounts are made {of} days before the first day",
}

# ---------------------------------------------------------------- history


def show_version(one: RuleVersion) -> None:
    """One version of a rule with what changed in it."""
    line(f"{one.at}  {one.change}  by {clean(one.author)}  {clean(one.file)}:{one.line}  version {one.version}")
    for text in one.diff.splitlines():
        style = "green" if text.startswith("+") else "red" if text.startswith("-") else "dim"
        line("    " + styled(clean(text), style))


def audit_row(one: AuditRow) -> tuple[object, ...]:
    """One line of the audit for a table."""
    detail = dict(one.detail)
    changed = dict(detail.pop("attributes", None) or {})
    if detail.get("container"):
        changed["container"] = detail["container"]
    told = [f"{name}: {_or_dash(value['old'])} → {_or_dash(value['new'])}" for name, value in changed.items()]
    told += [f"{name}: {value}" for name, value in detail.items() if name not in _ELSEWHERE and value]
    told += [str(detail["reason"])] if detail.get("reason") else []
    return one.at, one.actor, one.target, one.kind, one.action, one.object, detail.get("rule", ""), "; ".join(told)


_ELSEWHERE = frozenset({"container", "rule", "reason", "group", "sku", "member", "anchor", "diff"})
"""Of a line's detail: what the table shows elsewhere, or what is too long for it."""


def _or_dash(value: object) -> object:
    return "–" if value is None else value


def show_access(one: Access) -> None:
    """From an access to its rule, the rule's line in that version, and who changed it when."""
    given = f"given {one.given.at}, run {one.given.run}" if one.given else "when it was given is not in the audit"
    line(f"{clean(one.person)}  {one.kind} {clean(one.name)} in {clean(one.target)}: {given}")
    where = f"{clean(one.file)}:{one.line} in version {one.version}" if one.file else "not in a version that is kept"
    line(f"  by the rule {clean(one.rule)}, {where}")
    for text in one.text.splitlines():
        line("    " + styled(clean(text), "dim"))
    for version in one.changes:
        line(f"  {version.change} {version.at} by {clean(version.author)} (version {version.version})")
