"""Renderers: nothing in data moves a cursor, turns writing round or becomes markup; sensitive values stay hidden."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.cli.showing.documents import json_text
from eadm_sync.cli.showing.html import escaped as as_html
from eadm_sync.cli.showing.markdown import escaped as as_markdown
from eadm_sync.cli.showing.preview import shown, title, values
from eadm_sync.cli.showing.text import frame_lines
from eadm_sync.cli.showing.waiting import Bars
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, PersonFrame

OBEYED = "\x00\x07\x1b\x7f\x9b\u2028\u202e\u2066\u200b\u061c\U000e0041\r\n\t"


def _frame(text: str) -> PersonFrame:
    change = Change(
        target="ad",
        kind=Kind.ACCOUNT,
        action=Action.UPDATE,
        person=text,
        attributes={text: (text, text + "2")},
        container=(text, text),
        rule=text,
        reason=text,
    )
    return PersonFrame(person=text, name=text, stage="active", identifiers=((text, text),), changes=(change,))


def test_text_obeys_no_character_of_the_data() -> None:
    """Wherever control characters stand in a frame, each line stays one line of harmless text."""
    frame = _frame(f"a{OBEYED}b")

    lines = list(frame_lines(frame, frame.changes))

    assert not set("".join(lines)) & set(OBEYED)
    assert "HELD" in "".join(lines)


@given(st.text())
def test_json_is_the_same_after_escaping(text: str) -> None:
    """Escaped JSON means what was put in, and holds nothing that a terminal obeys."""
    written = json_text({"name": text})

    assert json.loads(written) == {"name": text}
    assert not set(written) & set(OBEYED)


@given(st.text(alphabet=st.sampled_from([*"<>&\"'`|*_[]()#!\\ab", *OBEYED])))
def test_html_and_markdown_have_no_live_markup(text: str) -> None:
    """No value opens a tag, ends a cell, starts a link or a new line."""
    html, markdown = as_html(text), as_markdown(text)

    assert not set(html) & set("<>\"'" + OBEYED)
    assert not set(markdown) & set("<>" + OBEYED)
    unescaped = markdown.replace("\\\\", "").replace("\\|", "").replace("\\[", "").replace("\\`", "")
    assert not set(unescaped) & set("|[`")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(nothing)"),
        ("", "''"),  # empty is not the same as nothing
        (" Kari", "' Kari'"),  # a blank that would be missed
        ("Kari", "Kari"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        (Sealed(b"cipher", b"digest"), "***"),
    ],
)
def test_values_are_shown_so_that_differences_are_seen(value: object, text: str) -> None:
    """Blanks, emptiness and nothing look different; sealed values are stars."""
    assert shown(value) == text


@pytest.mark.parametrize(
    ("kind", "action", "words"),
    [
        (Kind.ACCOUNT, Action.DISABLE, "ad: disable account"),
        (Kind.MEMBERSHIP, Action.CREATE, "ad: add to group g"),
        (Kind.MEMBERSHIP, Action.DELETE, "ad: remove from group g"),
        (Kind.LICENCE, Action.CREATE, "ad: give licence s"),
        (Kind.LICENCE, Action.DELETE, "ad: take away licence s"),
    ],
)
def test_changes_are_named_in_plain_words(kind: Kind, action: Action, words: str) -> None:
    """What is done to what reads as a sentence."""
    assert title(Change(target="ad", kind=kind, action=action, person="p", group="g", sku="s")) == words


def test_a_container_that_never_was_is_not_shown() -> None:
    """Targets without containers have no line for one."""
    change = Change(target="entra", kind=Kind.ACCOUNT, action=Action.CREATE, person="p", container=(None, None))

    assert list(values(change)) == []


def test_progress_is_silent_where_nobody_watches() -> None:
    """Standard error that is no terminal gets no bar."""
    said = io.StringIO()

    with redirect_stderr(said), Bars() as bars:
        bars("evaluating people", 1, 2)

    assert said.getvalue() == ""
