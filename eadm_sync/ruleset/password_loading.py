"""The `passwords` sections: policies for first passwords, with the words that some of them are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from eadm_sync.config.problems import did_you_mean
from eadm_sync.errors import Problem
from eadm_sync.passwords import Policy, shortfall
from eadm_sync.ruleset.document import PasswordEntry
from eadm_sync.ruleset.files import ReadFile, shown
from eadm_sync.ruleset.rules import RulesetSource
from eadm_sync.ruleset.vocabulary import TargetWords

_MAX_BYTES = 1024 * 1024
"""A larger file is no list of words: all the words of a language fit."""

_LONGEST_WORD = 24

_OF_WORDS = ("word_count", "separator", "digits")
_OF_CHARACTERS = ("length", "classes")


def password_policies(
    files: Sequence[ReadFile], problems: list[Problem]
) -> tuple[dict[str, Policy], tuple[RulesetSource, ...]]:
    """The policies of all files by name, and the files of words; what is wrong goes to `problems`."""
    policies: dict[str, Policy] = {}
    lists: dict[str, RulesetSource] = {}
    for file in files:
        for name, given in file.content.passwords.items():
            before = len(problems)
            _refuse_meaningless(file, name, given, problems)
            words: tuple[str, ...] = ()
            if given.words is not None:
                words = _words(file, name, given.words, lists, problems)
            if len(problems) == before:
                policies.setdefault(name, _policy(name, given, words))
    return policies, tuple(lists[path] for path in sorted(lists))


def refuse_unfit_passwords(
    files: Sequence[ReadFile],
    policies: Mapping[str, Policy],
    targets: Mapping[str, TargetWords],
    problems: list[Problem],
) -> None:
    """Notes account rules that name no policy there is, and policies whose passwords the rule's target would refuse."""
    known = {name for file in files for name in file.content.passwords}
    for file in files:
        rules = file.content.accounts
        for position, given in zip(file.positions.get("accounts", range(len(rules))), rules, strict=True):
            if given.password is None:
                continue
            words = targets.get(given.target)
            path = ("accounts", position, "password")
            if given.password not in known:
                hint = did_you_mean(given.password, sorted(known))
                problems.append(file.document.problem(path, f"no password policy '{given.password}'", hint=hint))
            elif words is not None and words.passwords is None:
                problems.append(file.document.problem(path, f"the target '{given.target}' takes no passwords"))
            elif words is not None and words.account_name not in {None, *given.attributes}:
                hint = "only a rule that gives an account does; this one adds attributes"
                problems.append(file.document.problem(path, "a rule without an account gives no password", hint=hint))
            elif words is not None and words.passwords is not None and given.password in policies:
                fault = shortfall(policies[given.password], words.passwords)
                if fault is not None:
                    message = f"'{given.target}' would refuse passwords of the policy '{given.password}': {fault}"
                    problems.append(file.document.problem(path, message))


def _policy(name: str, given: PasswordEntry, words: tuple[str, ...]) -> Policy:
    return Policy(
        name=name,
        length=given.length,
        classes=tuple(dict.fromkeys(given.classes)),
        words=words,
        word_count=given.word_count,
        separator=given.separator,
        digits=given.digits,
        must_change=given.must_change,
    )


def _refuse_meaningless(file: ReadFile, name: str, given: PasswordEntry, problems: list[Problem]) -> None:
    """Notes keys that mean nothing beside, or without, `words`."""
    idle, why = (_OF_WORDS, "without 'words'") if given.words is None else (_OF_CHARACTERS, "beside 'words'")
    for key in idle:
        if key in given.model_fields_set:
            message = f"'{key}' means nothing {why}"
            problems.append(file.document.problem(("passwords", name, key), message, key=True))


def _words(
    file: ReadFile, name: str, given: str, lists: dict[str, RulesetSource], problems: list[Problem]
) -> tuple[str, ...]:
    """The words of a file, each once and in lower case; empty where something is wrong with it."""
    place = ("passwords", name, "words")
    folder = file.path.parent.resolve()
    path = (folder / given).resolve()
    if not path.is_relative_to(folder):
        problems.append(file.document.problem(place, "a list of words must stand below its ruleset's folder"))
        return ()
    try:
        source = _read(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not a UTF-8 text of at most 1 MiB"
        problems.append(file.document.problem(place, f"the list '{given}' cannot be read: {reason}"))
        return ()
    lines = [line.strip() for line in source.text.splitlines()]
    found = [(number, word) for number, word in enumerate(lines, 1) if word and not word.startswith("#")]
    bad = [number for number, word in found if not word.isalpha() or len(word) > _LONGEST_WORD]
    problems.extend(
        Problem(
            source.path, number, 1, f"no word: letters only, at most {_LONGEST_WORD}", "one word stands in each line"
        )
        for number in bad
    )
    words = tuple(dict.fromkeys(word.casefold() for _, word in found))
    if not words:
        problems.append(file.document.problem(place, f"the list '{given}' holds no word"))
    lists[source.path] = source
    return () if bad else words


def _read(path: Path) -> RulesetSource:
    """The file; raises OSError or ValueError where it is none that can be read."""
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError("too large")
    raw = path.read_bytes()
    return RulesetSource(shown(path), raw.decode("utf-8-sig"), blake2b(raw, digest_size=16).hexdigest())
