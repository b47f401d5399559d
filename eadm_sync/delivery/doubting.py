"""Which queued changes may have been carried out though no answer came, and what ends such a doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from sqlalchemy import Connection

from connectors.contract import Kind
from eadm_sync.delivery.payload import unpack
from eadm_sync.plan.change import Change
from eadm_sync.plan.doubting import answered, doubts_of, gives_again
from eadm_sync.state.crypto import Vault
from eadm_sync.state.doubts import Doubt, Doubts, end_doubts, load_doubts, note_doubts
from exportqueue import Queue

Words = Mapping[tuple[str, Kind], str]
"""(target, ACCOUNT or GROUP) → the attribute that such an object is called by there."""

_UNCALLED: Words = MappingProxyType({})
_SWITCHING = ("enable account", "disable account")
"""Operations of the queue that `gives_again` can hold for."""


def all_doubts(connection: Connection, queue: Queue, vault: Vault, called: Words = _UNCALLED) -> Doubts:
    """What is in doubt of everybody: as written down, and of changes that were tried and are still to be delivered.

    Args: a connection; the export queue; what opens payloads; as for `note_tried`.
    """
    found = load_doubts(connection)
    for person, doubts in _tried(connection, queue, vault, None, called).items():
        found[person] = found.get(person, frozenset()) | doubts
    return found


def note_tried(connection: Connection, queue: Queue, vault: Vault, subjects: Collection[str], called: Words) -> None:
    """Writes down what is in doubt, before queued changes of some subjects are dropped.

    Args:
        connection: A connection that may write.
        queue: The export queue.
        vault: Opens payloads.
        subjects: Ids of people, and groups as `group_key` has them.
        called: By what accounts and groups are found again that may have been made.
    """
    note_doubts(connection, _tried(connection, queue, vault, subjects, called))


def end_answered(connection: Connection, changes: Iterable[Change]) -> None:
    """Ends what is in doubt of the things that were just confirmed."""
    confirmed: dict[str, list[Change]] = {}
    for change in changes:
        confirmed.setdefault(_subject(change), []).append(change)
    over = {
        subject: frozenset(chain.from_iterable(answered(one, doubts) for one in confirmed[subject]))
        for subject, doubts in (load_doubts(connection, sorted(confirmed)) if confirmed else {}).items()
    }
    if over:
        end_doubts(connection, over)


def _tried(
    connection: Connection,
    queue: Queue,
    vault: Vault,
    subjects: Collection[str] | None,
    called: Words,
) -> Doubts:
    found: dict[str, set[Doubt]] = {}
    for item in queue.tried(connection, subjects, _SWITCHING):
        change = unpack(item.payload, item.format, vault)
        if item.fence or gives_again(change):
            word = called.get((change.target, change.kind))
            found.setdefault(_subject(change), set()).update(doubts_of(change, word))
    return {subject: frozenset(doubts) for subject, doubts in found.items() if doubts}


def _subject(change: Change) -> str:
    return change.person if change.person is not None else change.subject
