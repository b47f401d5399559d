"""Whether the key file is the one that a state was made with."""

import pytest
from sqlalchemy import create_engine

from eadm_sync.config.keys import Key, Use
from eadm_sync.errors import StateError
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.sealing import check_key, note_key

OLD, NEW, OTHER = Key("old1", b"o" * 32), Key("new1", b"n" * 32), Key("oth1", b"x" * 32)
NEXT = Key("new1", b"n" * 32, Use.NEXT)
DIGEST = Key("digest", Vault([OLD]).digest_key, Use.DIGEST)


@pytest.mark.parametrize(
    ("keys", "is_right"),
    [
        # the same file
        ([OLD], True),
        # rotated: a new first line, the old one kept
        ([NEW, OLD], True),
        # another file altogether
        ([OTHER], False),
        # rotated, and the line that digests are made with taken out
        ([NEW], False),
    ],
)
def test_another_key_file_is_refused_once_something_was_written(keys: list[Key], is_right: bool):
    """With another key everybody would look new, and get a second account."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        check_key(connection, Vault([OTHER]))  # nothing is sealed yet, so any key will do
        note_key(connection, Vault([OLD]))

        if is_right:
            check_key(connection, Vault(keys))
        else:
            with pytest.raises(StateError, match="put the right one back"):
                check_key(connection, Vault(keys))
    engine.dispose()


@pytest.mark.parametrize(
    ("keys", "is_right"),
    [
        # the file of the machine on which the keys were rotated
        ([NEW, OLD], True),
        # known, and not used here yet
        ([NEXT, OLD], True),
        # the old one was retired
        ([NEW, DIGEST], True),
        # the file of another machine, which was forgotten: it would seal with a key that is about to be retired
        ([OLD], False),
    ],
)
def test_a_key_file_older_than_the_state_is_refused(keys: list[Key], is_right: bool):
    """Where the keys were rotated on one machine, the others need the file before they go on."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        note_key(connection, Vault([NEW, OLD]))

        if is_right:
            check_key(connection, Vault(keys))
        else:
            with pytest.raises(StateError, match=r"lacks key 'new1'.*copy the file"):
                check_key(connection, Vault(keys))
    engine.dispose()


def test_the_key_file_is_read_again_when_it_is_checked():
    """A daemon seals with what the state says from the next run on, though its own file calls that key the next one."""
    keys = [OLD]
    vault = Vault(keys, lambda: keys)
    keys = [NEXT, OLD]
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        note_key(connection, Vault([NEW, OLD]))
        check_key(connection, vault)
    engine.dispose()

    vault.refresh()
    assert vault.current == "new1"
