"""Whether the key file is the one that a state was made with."""

import pytest
from sqlalchemy import create_engine

from eadm_sync.config.keys import Key
from eadm_sync.errors import StateError
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.sealing import check_key, note_key

OLD, NEW, OTHER = Key("old1", b"o" * 32), Key("new1", b"n" * 32), Key("oth1", b"x" * 32)


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
            note_key(connection, Vault(keys))
            check_key(connection, Vault([OLD]))
        else:
            with pytest.raises(StateError, match="put the right one back"):
                check_key(connection, Vault(keys))
    engine.dispose()
