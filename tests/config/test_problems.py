"""Problems: near words, plain words, and no secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError, field_validator

from eadm_sync.config.problems import ProblemCollector, did_you_mean
from eadm_sync.config.yaml import load_yaml
from eadm_sync.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        # a slip
        ("delimeter", ["delimiter", "files"], "did you mean 'delimiter'?"),
        ("givenName", ["given_name", "key"], "did you mean 'given_name'?"),
        # the right word in the wrong case
        ("samaccountname", ["sAMAccountName"], "did you mean 'sAMAccountName'?"),
        # nothing near: what there is
        ("zzz", ["files", "key"], "known here: files, key"),
        # nothing near, and too many to list
        ("zzz", [f"name{n}" for n in range(20)], None),
        ("zzz", [], None),
    ],
)
def test_a_hint_names_what_would_be_right(word: str, known: list[str], hint: str | None) -> None:
    """The nearest known word, or all of them where they are few."""
    assert did_you_mean(word, known) == hint


def test_no_problems_raise_nothing_and_equal_ones_are_told_once() -> None:
    """A collector is empty until something is wrong, and says nothing twice."""
    collector = ProblemCollector(load_yaml("a: 1\nb: 2\n", "f.yaml"))
    collector.raise_if_any()
    collector.add(("b",), "later")
    collector.add(("a",), "earlier")
    collector.add(("a",), "earlier")
    with pytest.raises(ConfigError) as caught:
        collector.raise_if_any()
    assert [problem.message for problem in caught.value.problems] == ["earlier", "later"]


class Careless(BaseModel):
    """Options of a connector whose validators quote what they are given."""

    plain: str = ""
    number: int = 0
    secret: SecretStr = SecretStr("")

    @field_validator("plain", "secret")
    @classmethod
    def _quote(cls, value: str | SecretStr) -> str:
        shown = value if isinstance(value, str) else value.get_secret_value()
        raise ValueError(f"{shown} and {shown!r} will not do")


@given(
    st.text(min_size=1).filter(lambda text: text.strip(" andwilotemusbhr'\"\\*") != ""),
    st.sampled_from(["plain", "number", "secret"]),
)
def test_no_value_from_outside_is_ever_quoted(value: str, field: str) -> None:
    """Whatever the value and whatever the validator says of it, the problem does not hold it."""
    value = f"x{value}" if field == "number" else value  # "0" would be right there
    document = load_yaml("plain: a\nnumber: b\nsecret: c\n", "f.yaml")
    collector = ProblemCollector(document, {(field,): (value,)})
    with pytest.raises(ValidationError) as caught:
        Careless.model_validate({field: value, "extra": 1, "number": value if field == "number" else "x"})
    collector.add_invalid(caught.value, Careless, {field: value})
    (told,) = [problem for problem in collector.problems if problem.place == field]
    assert value not in told.message.replace("***", "").replace("will not do", "").replace("must be a whole number", "")
    assert told.hint is None


def test_a_short_secret_does_not_hide_words_elsewhere() -> None:
    """A password of one letter is hidden where it is used, not in every word that has the letter."""
    document = load_yaml("plain: a\nnumber: b\n", "f.yaml")
    collector = ProblemCollector(document, {("plain",): ("a",)})
    collector.add(("number",), "must be a number")
    collector.add(("plain",), "'a' is bad")
    assert [problem.message for problem in collector.problems] == ["must be a number", "'***' is b***d"]
