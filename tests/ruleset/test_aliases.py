"""What a ruleset may say of aliases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eadm_sync.ruleset import Ruleset


def ruleset(words: str, target: str = "ad") -> str:
    """A ruleset with one alias."""
    return f"ruleset: a\nlifecycle: {{aliases: {{{target}: [{{{words}}}]}}}}\n"


def test_an_alias_is_made_of_the_former_value(load: Callable[..., Ruleset]):
    """As it is, or in a form of its own; for ever, or for some days."""
    (plain,) = load(ruleset("attribute: proxies, of: name")).lifecycle.aliases["ad"]
    assert (plain.attribute, plain.of, plain.keep_days, plain.render("kari")) == ("proxies", "name", None, "kari")
    words = 'attribute: proxies, of: name, keep_days: 7, form: "smtp:{{ former | upper }}@{{ target.suffix }}"'
    (formed,) = load(ruleset(words)).lifecycle.aliases["ad"]
    assert (formed.keep_days, formed.render("kari")) == (7, "smtp:KARI@x.no")
    assert plain != formed


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("attribute: proxy, of: name", "unknown attribute 'proxy'"),
        ("attribute: proxies, of: nam", "unknown attribute 'nam'"),
        ("attribute: title, of: name", "holds one value"),
        ("attribute: proxies, of: proxies", "must hold one text"),
        ("attribute: proxies, of: name, form: alias", "reads no 'former'"),
        ('attribute: proxies, of: name, form: "{{ person.id }}"', "unknown name 'person'"),
    ],
)
def test_slips_are_told_at_load(refused: Callable[..., list[str]], words: str, problem: str):
    """An alias that cannot be is none that is lost later."""
    assert any(problem in line for line in refused(ruleset(words)))


def test_an_unknown_target_is_refused(refused: Callable[..., list[str]]):
    """As everywhere."""
    (problem,) = refused(ruleset("attribute: proxies, of: name", target="adx"))
    assert "unknown target 'adx'" in problem
