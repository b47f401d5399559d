"""Opens what the use cases need, once: configuration, ruleset, keys, state, sources, targets."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from sqlalchemy import MetaData

from connectors import registry
from connectors.contract import Capabilities, Kind, Source, Target
from eadm_sync.clock import Clock
from eadm_sync.config.keys import read_keys
from eadm_sync.config.loading import Loaded, load_settings
from eadm_sync.config.mapping import MapSettings
from eadm_sync.state import tables
from eadm_sync.state.database import Database, open_for_reading, open_for_writing
from exportqueue import Queue, define, queue_tables

if TYPE_CHECKING:  # what reads rules takes a fifth of a second to load; `status` and lists need none of it
    from eadm_sync.expression import Origin
    from eadm_sync.ruleset import Ruleset, TargetWords, Vocabulary
    from eadm_sync.ruleset.sending import Sending
    from eadm_sync.state.crypto import Vault


@cache
def complete_metadata() -> MetaData:
    """The state's tables and the queue's, in one."""
    metadata = MetaData()
    for table in tables.metadata.sorted_tables:
        table.to_metadata(metadata)
    define(metadata)
    return metadata


@dataclass
class Context:
    """One installation: everything is opened on first use.

    Attributes:
        loaded: The configuration and where it stands.
        clock: The time.
        actor: Who is at work, for runs and audit.
        author: Who answers for the rules, for the audit; None: the actor.
    """

    loaded: Loaded
    clock: Clock
    actor: str
    author: str | None = None

    @cached_property
    def vault(self) -> Vault:
        """The installation's keys."""
        from eadm_sync.state.crypto import Vault  # noqa: PLC0415 - loads OpenSSL, which counts need not

        read = partial(read_keys, self.loaded.base_dir / self.loaded.settings.state.key_file)
        return Vault(read(), read)

    @cached_property
    def ruleset(self) -> Ruleset:
        """The rules, checked against the configuration."""
        from eadm_sync.ruleset import load_ruleset  # noqa: PLC0415 - reads rules

        return self.sending(load_ruleset(self.ruleset_paths, self.vocabulary))

    def sending(self, ruleset: Ruleset) -> Ruleset:
        """A ruleset whose accounts hold what is sent with the installation's keys, which are read when first needed."""
        return replace(ruleset, send=self._sent)

    def _sent(self, sending: Sending, value: str) -> str:
        from eadm_sync.ruleset.sending import HASH  # noqa: PLC0415 - reads rules
        from eadm_sync.state.sending import encrypted, keyed_hash  # noqa: PLC0415 - as in `vault`

        if sending.mode == HASH:
            return keyed_hash(self.vault, value, sending.longest)
        return encrypted(self.vault, value)

    @property
    def ruleset_paths(self) -> tuple[Path, ...]:
        """Where the rules stand."""
        return tuple(self.loaded.base_dir / path for path in self.loaded.settings.rulesets)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What rulesets can name in this installation."""
        from eadm_sync.ruleset import Vocabulary  # noqa: PLC0415 - reads rules

        settings = self.loaded.settings
        maps = [source.map for source in settings.sources.values()]
        return Vocabulary(
            targets={name: self._target_words(name) for name in settings.targets},
            person_extra=frozenset(name for one in maps for entry in one.people for name in entry.extra),
            affiliation_extra=frozenset(name for one in maps for entry in one.affiliations for name in entry.extra),
            unit_extra=frozenset(name for one in maps for entry in one.units for name in entry.extra),
            kinds=_kinds(maps),
            scripts=frozenset(settings.scripts),
        )

    @cached_property
    def _unopened_targets(self) -> dict[str, Target]:
        return {name: self.make_target(name) for name in self.loaded.settings.targets}

    def capabilities(self, target: str) -> Capabilities:
        """What a target can do; needs no connection."""
        return self._unopened_targets[target].capabilities

    def concurrency(self, target: str) -> int:
        """How many may deliver to a target at the same time, all processes together."""
        return min(self.loaded.settings.targets[target].concurrency, self.capabilities(target).concurrency)

    def _target_words(self, name: str) -> TargetWords:
        from eadm_sync.ruleset import TargetWords  # noqa: PLC0415 - reads rules

        able = self.capabilities(name)
        return TargetWords(
            variables=self.loaded.settings.targets[name].variables,
            attributes=able.attributes,
            group_attributes=able.group_attributes,
            account_name=able.account_name,
            group_name=able.group_name,
            required=frozenset(able.required),
            max_lengths=able.max_lengths,
            has_containers=able.containers,
            has_licences=Kind.LICENCE in able.kinds,
            has_nestings=Kind.NESTING in able.kinds,
            world_readable=able.world_readable,
            refuses_national_ids=able.refuses_national_ids,
            passwords=able.password_rules if able.passwords else None,
        )

    def make_target(self, name: str) -> Target:
        """A new, unconnected target."""
        settings = self.loaded.settings.targets[name]
        open_target = registry.load(settings.type).open_target
        assert open_target is not None  # noqa: S101 - the configuration's loader refuses others
        return open_target(settings.options, self.loaded.base_dir)

    def make_sources(self) -> dict[str, Source]:
        """All sources, unread, in order of precedence."""
        made = {}
        for name, settings in self.loaded.settings.sources.items():
            open_source = registry.load(settings.type).open_source
            assert open_source is not None  # noqa: S101 - as make_target
            made[name] = open_source(settings.options, self.loaded.base_dir)
        return made

    def origin(self, path: tuple[str | int, ...]) -> Origin:
        """Where a text of the configuration is written; lines that seem to hold a secret are not shown."""
        from eadm_sync.ruleset.entries import origin_of  # noqa: PLC0415 - reads rules

        document = self.loaded.document
        return replace(origin_of(document, path), line_text=document.excerpt)

    @cached_property
    def queue(self) -> Queue:
        """The export queue, on the state database."""
        return Queue(queue_tables(), clock=self.clock.now)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """The state, for reading only."""
        state = self.loaded.settings.state
        with open_for_reading(state.url, self.loaded.base_dir, complete_metadata) as database:
            yield database

    @contextlib.contextmanager
    def writing(self) -> Iterator[Database]:
        """The state, created or migrated where needed."""
        with open_for_writing(self.loaded.settings.state.url, self.loaded.base_dir) as database:
            self._cover_unchained(database)
            yield database

    def _cover_unchained(self, database: Database) -> None:
        """Has the audit's chain cover the lines of an older program: that needs the keys, which migrations lack."""
        from eadm_sync.state.auditing import cover_unchained, has_unchained  # noqa: PLC0415 - as in `vault`

        with database.read() as connection:
            waits = has_unchained(connection)
        if waits:
            with database.write() as connection:
                cover_unchained(connection, self.vault, self.clock.now().isoformat(), self.actor)

    def target_fingerprints(self) -> dict[str, str]:
        """Target → hash of its settings: another directory under the same name is another target."""
        return {
            name: _fingerprint(settings.type, settings.variables, settings.options.model_dump(mode="json"))
            for name, settings in self.loaded.settings.targets.items()
        }


def _kinds(maps: Sequence[MapSettings]) -> frozenset[str]:
    """Every kind an affiliation can have, where all mappings choose between constants; empty where one does not."""
    from eadm_sync.expression import constants_of  # noqa: PLC0415 - reads rules

    found = [constants_of(entry.kind) for one in maps for entry in one.affiliations]
    return frozenset().union(*(kinds or () for kinds in found)) if all(found) else frozenset()


def _fingerprint(*parts: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=8).hexdigest()


def open_context(config: Path, clock: Clock) -> Context:
    """The installation that a configuration file describes.

    Raises:
        ConfigError: The file is wrong; carries every problem.
    """
    return Context(load_settings(config), clock, _user())


def _user() -> str:
    """The user of the operating system whose process this is: what `getpass` reads first, anybody can set."""
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # KeyError: a container's user without a name
        return getpass.getuser()
