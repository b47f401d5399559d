"""Whether attributes can be sent as a rule says, and what it sends in clear that must not be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eadm_sync.expression import Typed
from eadm_sync.expression.scope import TEXT
from eadm_sync.ruleset.document import AccountEntry
from eadm_sync.ruleset.sending import (
    ENCRYPTED,
    HASH,
    LEAST_ENCRYPTED_LENGTH,
    LEAST_HASH_LENGTH,
    Sending,
)
from eadm_sync.ruleset.vocabulary import TargetWords


def sendings(given: AccountEntry, target: TargetWords) -> dict[str, Sending]:
    """How the attributes of a rule are sent, of those that are not sent in clear."""
    return {word: Sending(mode, target.max_lengths.get(word)) for word, mode in given.send.items()}


def faults(
    given: AccountEntry, target: TargetWords, attributes: Mapping[str, Typed]
) -> Iterator[tuple[tuple[str, str], str, str | None]]:
    """What is wrong with it: (steps within the entry, message, hint)."""
    for word, sending in sendings(given, target).items():
        place = ("send", word)
        least = LEAST_HASH_LENGTH if sending.mode == HASH else LEAST_ENCRYPTED_LENGTH
        typed = attributes.get(word)
        if word not in given.attributes:
            yield place, f"the rule does not set '{word}'", None
        elif word == target.account_name:
            yield place, f"'{word}' is what accounts are called by, so it is sent in clear", None
        elif target.attributes.get(word, "str") != "str" or (typed is not None and typed.type is not TEXT):
            yield place, f"only texts can be sent so, and '{word}' is none", None
        elif sending.longest is not None and sending.longest < least:
            hint = "send it as a hash" if sending.mode == ENCRYPTED and sending.longest >= LEAST_HASH_LENGTH else None
            yield place, f"'{word}' takes {sending.longest} characters, this needs {least}", hint
    for word in in_clear_to(given, attributes, attributes) if target.refuses_national_ids else ():
        message = f"a national id goes into '{word}' in clear, which this target may not hold"
        yield ("attributes", word), message, f"add 'send: {{{word}: hash}}' to the rule, or leave it out"


def in_clear_to(given: AccountEntry, attributes: Mapping[str, Typed], names: Iterable[str]) -> list[str]:
    """Those of some attributes that a sensitive field goes into as it is."""
    return [word for word in names if word not in given.send and word in attributes and attributes[word].sensitive]
