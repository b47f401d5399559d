"""Markdown as the references need it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from docs.generator.settings import Section, Setting

_CODE = re.compile(r"(`[^`]*`)")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell is escaped, also within code, as GitHub asks for."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in lines)


def plain(text: str) -> str:
    """Text of a description, in which `<name>` is no HTML."""
    parts = _CODE.split(text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def code(text: str) -> str:
    """Text as code, whatever is in it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def yaml_block(text: str) -> str:
    """A code block in YAML."""
    return f"```yaml\n{text.strip()}\n```"


def section(one: Section, level: str, example: str | None = None) -> str:
    """One section of a reference: heading, meaning, table of settings, example."""
    heading = " ".join(f"`{part}`" for part in [one.title or "top level"])
    parts = [f"{level} {heading}", plain(one.meaning), settings_table(one.settings), example]
    return "\n\n".join(part for part in parts if part)


def settings_table(settings: Iterable[Setting]) -> str:
    """The keys of one section."""
    header = ("setting", "type", "default", "unit", "meaning")
    return table(
        header,
        ((code(one.name), one.type, one.default or "see there", one.unit, plain(one.meaning)) for one in settings),
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
