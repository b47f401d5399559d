"""Draws where the time of one run goes: samples of py-spy as an SVG.

    pip install py-spy
    py-spy record -r 100 -f raw -o samples.txt -- eadm-sync sync --yes --config town/config.yaml
    python -m benchmarks.flame samples.txt docs/first-sync.svg

Wider is longer; each block stands on who called it. Waiting threads are left out, and so is what took less than a
three-hundredth. `python -m benchmarks.town town 10000` makes a town.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, ROW = 1200, 17
LEAST = 1 / 300
_CHARACTER = 6.5  # pixels
_LINE_NUMBER = re.compile(r":\d+\)$")
_WHERE = re.compile(r"/\S*/(site-packages|lib/python[0-9.]+|bin)/")
"""Where things are installed on whoever's machine."""

_UNSAID = ("threading.py", "<frozen ", "contextlib.py", "runpy")
"""Frames of these say nothing; what they call stands in their place."""

_COLOURS = {"eadm_sync": "#f6b26b", "exportqueue": "#93c47d", "connectors": "#76a5af", "sqlalchemy": "#d9d2e9"}


@dataclass
class Block:
    """Samples in one function, called in one way."""

    samples: int = 0
    inner: dict[str, Block] = field(default_factory=dict)


def main() -> None:
    """Reads samples and writes the picture."""
    source, target = map(Path, sys.argv[1:])
    Path(target).write_text(drawing(gathered(source.read_text(encoding="utf-8"))), encoding="utf-8")


def gathered(text: str) -> Block:
    """The tree of calls in py-spy's raw format: frames with `;` between, a space, and how many samples."""
    root = Block()
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [_WHERE.sub("", _LINE_NUMBER.sub(")", frame)) for frame in stack.split(";")]
        if frames[-1].startswith("wait (threading") or "Condition.wait" in frames[-1]:
            continue
        root.samples += int(number)
        block = root
        for frame in frames:
            if "(" in frame and not any(each in frame for each in _UNSAID):
                block = block.inner.setdefault(frame, Block())
                block.samples += int(number)
    return root


def drawing(root: Block) -> str:
    """The picture."""
    blocks = list(_blocks(root, 0.0, 0, root.samples))
    height = ROW * (1 + max(depth for _, depth, _ in blocks))
    drawn = "\n".join(text for _, _, text in blocks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace"'
        f' font-size="11">\n{drawn}\n</svg>\n'
    )


def _blocks(block: Block, left: float, depth: int, whole: int) -> Iterator[tuple[float, int, str]]:
    for name, inner in sorted(block.inner.items()):
        share = inner.samples / whole
        if share < LEAST:
            continue
        width = share * WIDTH
        yield left, depth, _rectangle(name, share, left, depth * ROW)
        yield from _blocks(inner, left, depth + 1, whole)
        left += width


def _rectangle(name: str, share: float, left: float, top: int) -> str:
    width = share * WIDTH
    place = name.partition("(")[2]
    colour = next((colour for package, colour in _COLOURS.items() if place.startswith(package)), "#efefef")
    shown = escape(name.partition(" (")[0][: int(width / _CHARACTER)])
    title = escape(f"{name}: {share:.1%}")
    return (
        f'<g><title>{title}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}"'
        f' fill="{colour}"/><text x="{left + 2:.1f}" y="{top + 12}">{shown}</text></g>'
    )


if __name__ == "__main__":
    main()
