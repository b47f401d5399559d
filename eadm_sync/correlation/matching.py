"""Which account of a target is whose. Pure: people and accounts are handed in, one by one.

An account is somebody's by a rule if it holds exactly what the rule says of the person. It is adopted only if nothing
speaks against it: all rules that may adopt and find an account for the person find this one, no other person matches it
by a rule that is as strong, no weaker rule finds others and not the person, nobody is known to have it, and nothing
protects it. Whatever is less clear waits for somebody to accept or reject it, and the person gets no account there
meanwhile: a second account made by guess is as bad as somebody else's. So whoever can write into a source what one rule
reads, somebody else's employee number in their own row, still gets nobody's account while another rule knows better.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from connectors.contract import RemoteObject
from eadm_sync.correlation.rules import Digest, MatchRule, Reveal
from eadm_sync.model import Person

_DECIDED = -1
"""Stands before the first rule: somebody said that it is so."""


class Decision(StrEnum):
    """What somebody can say about a person and an account."""

    ACCEPT = "accept"  # it is theirs, and is taken under management
    REJECT = "reject"  # it is not theirs
    LEAVE = "leave"  # it is theirs, and is left alone: they get no account there


class VerdictKind(StrEnum):
    """What is to become of a person's match."""

    ADOPT = "adopt"
    LEFT = "left"  # somebody said so
    AMBIGUOUS = "ambiguous"  # rules disagree, or others match as well
    PROPOSED = "proposed"  # only a rule that proposes matches
    PROTECTED = "protected"  # what matches is protected


class Seen(msgspec.Struct, frozen=True):
    """An account of the target that somebody matches.

    Attributes:
        remote: As the target holds it.
        name: What it is called there.
        protected: Why it is protected, or None.
    """

    remote: RemoteObject
    name: str
    protected: str | None = None


class Stranger(msgspec.Struct, frozen=True, gc=False):
    """An account in scope that nobody is known to have.

    Attributes:
        anchor: Its own.
        name: What it is called.
        container: Where it is, or None.
        protected: Why it is protected, or None.
        alike: Ids of the people who match it by some rule, whatever becomes of that.
    """

    anchor: str
    name: str
    container: str | None
    protected: str | None = None
    alike: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What is to become of one person's match.

    Attributes:
        person: Id.
        kind: In a word.
        accounts: Those that match; of an adoption, the one.
        rule: The attribute it was found by, or "" where somebody said so.
        reason: Why it is so, for people.
        sensitive: Whether what that attribute holds is to be hidden.
    """

    person: str
    kind: VerdictKind
    accounts: tuple[Seen, ...]
    rule: str
    reason: str
    sensitive: bool = False

    @property
    def adopted(self) -> Seen | None:
        """The account to be taken under management."""
        return self.accounts[0] if self.kind is VerdictKind.ADOPT else None

    @property
    def theirs(self) -> Seen | None:
        """The account that is certainly theirs, whether it is managed or left alone."""
        return self.accounts[0] if self.kind in {VerdictKind.ADOPT, VerdictKind.LEFT} else None


class Matching:
    """Matches people with accounts: first all people, then all accounts, then the verdicts.

    Args:
        rules: The surest first.
        known: Anchor → id of the person who is known to have the account.
        decisions: (person id, anchor) → what somebody said about it.
        digest: Makes keyed hashes.
    """

    def __init__(
        self,
        rules: Sequence[MatchRule],
        known: Mapping[str, str],
        decisions: Mapping[tuple[str, str], Decision],
        digest: Digest,
    ) -> None:
        self._rules = rules
        self._known = known
        self._decisions = decisions
        self._decided = {anchor: person for (person, anchor), said in decisions.items() if said is not Decision.REJECT}
        self._digest = digest
        self._people: set[str] = set()
        self._wanted: list[dict[str, list[str]]] = [{} for _ in rules]
        self._seen: dict[str, Seen] = {}
        self._hits: dict[str, dict[str, int]] = {}
        """Person → anchor → number of the strongest rule that matches."""
        self._against: dict[tuple[str, str], tuple[int, list[str]]] = {}
        """(person, anchor) → a rule that finds the account for others and not for the person, and for whom."""
        self.strangers: list[Stranger] = []

    def add_people(self, people: Iterable[Person], reveal: Reveal) -> None:
        """Notes what everybody's account would hold; people who have one as well, for they can speak against others."""
        for person in people:
            self._people.add(person.id)
            for rule, wanted in zip(self._rules, self._wanted, strict=True):
                if text := rule.wanted(person, reveal, self._digest):
                    wanted.setdefault(text, []).append(person.id)

    def add_account(self, remote: RemoteObject, name: str, protected: str | None, *, in_scope: bool) -> None:
        """Takes one account of the target; one that we made for somebody is theirs already."""
        if remote.deleted or self.maker(remote) is not None:
            return
        hits = self._matching(remote, in_scope=in_scope)
        if in_scope and remote.anchor not in self._known:
            self.strangers.append(Stranger(remote.anchor, name, remote.container, protected, tuple(sorted(hits))))
        if hits:
            self._seen[remote.anchor] = Seen(remote, name, protected)
        for person, rule in hits.items():
            self._hits.setdefault(person, {})[remote.anchor] = rule

    def maker(self, remote: RemoteObject) -> str | None:
        """Id of the person for whom we made an account that the target has not confirmed yet, or None."""
        is_ours = remote.anchor not in self._known and remote.owner in self._people
        return remote.owner if is_ours else None

    def _matching(self, remote: RemoteObject, *, in_scope: bool) -> dict[str, int]:
        """Person → strongest rule by which an account is theirs."""
        decided = self._decided.get(remote.anchor)
        if decided is not None:
            return {decided: _DECIDED}
        hits: dict[str, int] = {}
        found: dict[int, set[str]] = {}
        for number, rule in enumerate(self._rules if in_scope else ()):
            for text in rule.held(remote.attributes, self._digest):
                for person in self._wanted[number].get(text, ()):
                    if self._decisions.get((person, remote.anchor)) is not Decision.REJECT:
                        hits.setdefault(person, number)
                        found.setdefault(number, set()).add(person)
        for person in hits if len(hits) > 1 else ():
            for number, people in found.items():
                if person not in people:
                    self._against[person, remote.anchor] = (number, sorted(people))
        return hits

    def verdicts(self) -> dict[str, Verdict]:
        """What becomes of everybody who matches an account and is not known to have one, by person."""
        having = set(self._known.values())
        rivals: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for person, hits in self._hits.items():
            for anchor, rule in hits.items():
                rivals[anchor].append((rule, person))
        found: dict[str, Verdict] = {}
        unsure = []
        for person, hits in sorted(self._hits.items()):
            if person in having:
                continue
            sure = {anchor: rule for anchor, rule in hits.items() if rule < 0 or not self._rules[rule].proposes}
            if sure:
                found[person] = self._judged(person, sure, rivals)
            else:
                unsure.append((person, hits))
        taken = {one.remote.anchor for verdict in found.values() if (one := verdict.adopted) is not None}
        found.update(self._proposals(unsure, taken))
        return found

    def _judged(self, person: str, sure: dict[str, int], rivals: Mapping[str, list[tuple[int, str]]]) -> Verdict:
        """The verdict on somebody for whom rules that may adopt, or somebody's word, found accounts."""
        decided = {anchor: rule for anchor, rule in sure.items() if rule == _DECIDED}
        number = min(sure.values())
        if any(self._decisions.get((person, anchor)) is Decision.LEAVE for anchor in decided):
            kind, anchors, reason = VerdictKind.LEFT, sorted(decided), "left alone by hand"
        else:
            kind, anchors, reason = self._weighed(person, decided or sure, rivals)
        accounts = tuple(self._seen[anchor] for anchor in anchors)
        if number == _DECIDED:
            return Verdict(person, kind, accounts, "", reason)
        rule = self._rules[number]
        return Verdict(person, kind, accounts, rule.attribute, reason, rule.sensitive)

    def _weighed(
        self, person: str, sure: dict[str, int], rivals: Mapping[str, list[tuple[int, str]]]
    ) -> tuple[VerdictKind, list[str], str]:
        """What is to become of what was found, with the anchors that it is about, and why."""
        free = sorted(anchor for anchor in sure if self._seen[anchor].protected is None)
        if not free:
            why = self._seen[min(sure)].protected
            return VerdictKind.PROTECTED, sorted(sure), f"the account that matches is protected: {why}"
        if len(free) > 1:
            return VerdictKind.AMBIGUOUS, free, f"{len(free)} accounts match"
        anchor, number = free[0], sure[free[0]]
        against = self._spoken_against(person, anchor, number, rivals)
        if against is None and _DECIDED < min(sure.values()) < number:
            against = "a stronger rule finds another account, which is protected"
        if against is not None:
            return VerdictKind.AMBIGUOUS, free, against
        word = "accepted by hand" if number == _DECIDED else f"found by {self._rules[number].attribute}"
        return VerdictKind.ADOPT, free, word

    def _spoken_against(
        self, person: str, anchor: str, number: int, rivals: Mapping[str, list[tuple[int, str]]]
    ) -> str | None:
        """Who else could have the account that a rule, or somebody's word, found for a person; None where nobody."""
        holder = self._known.get(anchor)
        if holder is not None:
            return f"the account is known to be {holder}'s"
        others = sorted(other for rule, other in rivals[anchor] if other != person and rule <= number)
        if others:
            return f"the account matches {', '.join(others)} as well"
        if (person, anchor) in self._against:
            rule, people = self._against[person, anchor]
            return f"by {self._rules[rule].attribute} the account is not theirs, but {', '.join(people)}'s"
        return None

    def _proposals(
        self, unsure: Iterable[tuple[str, dict[str, int]]], taken: Collection[str]
    ) -> Iterator[tuple[str, Verdict]]:
        """Accounts that may be somebody's, if nobody is known to have them, or gets them."""
        for person, hits in unsure:
            free = {
                anchor: rule
                for anchor, rule in hits.items()
                if anchor not in taken and anchor not in self._known and self._seen[anchor].protected is None
            }
            if free:
                rule = self._rules[min(free.values())].attribute
                accounts = tuple(self._seen[anchor] for anchor in sorted(free))
                reason = f"{rule} is the same; nobody has said whether the account is theirs"
                yield person, Verdict(person, VerdictKind.PROPOSED, accounts, rule, reason)
