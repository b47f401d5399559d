"""Values that must not lie readable in the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.config.keys import Key
from eadm_sync.errors import StateError
from eadm_sync.state.crypto import Vault

OLD, NEW = Key("old1", b"o" * 32), Key("new1", b"n" * 32)


@given(value=st.text(max_size=200), kind=st.text(st.characters(codec="ascii"), min_size=1, max_size=30))
def test_what_is_sealed_opens_again(value: str, kind: str):
    """Any text comes back as it was."""
    vault = Vault([OLD])

    assert vault.open(vault.seal(value, kind), kind) == value


def test_nothing_of_the_value_shows():
    """Neither repr nor ciphertext tells what is inside."""
    sealed = Vault([OLD]).seal("13097248022", "national_id")

    assert "13097248022" not in repr(sealed) + str(sealed)
    assert b"13097248022" not in sealed.ciphertext


def test_equal_values_seal_alike_and_only_within_one_kind():
    """Plans are compared by hash, so sealing must be repeatable; a national id is no employee number."""
    vault = Vault([OLD])

    assert vault.seal("1", "a").ciphertext == vault.seal("1", "a").ciphertext
    assert vault.seal("1", "a") == vault.seal("1", "a")
    assert vault.seal("1", "a") != vault.seal("1", "b")
    assert vault.seal("1", "a") != vault.seal("2", "a")


def test_payloads_never_encrypt_alike():
    """Two equal payloads cannot be told to be equal."""
    vault = Vault([OLD])

    assert vault.encrypt(b"same", b"p") != vault.encrypt(b"same", b"p")


def test_after_rotation_old_values_open_and_are_still_found():
    """A new first key encrypts; what the old one sealed opens and keeps its digest."""
    before = Vault([OLD]).seal("13097248022", "national_id")
    rotated = Vault([NEW, OLD])

    after = rotated.seal("13097248022", "national_id")

    assert rotated.open(before, "national_id") == "13097248022"
    assert after == before
    assert after.ciphertext != before.ciphertext


def test_a_missing_key_is_named():
    """The operator learns which key to look for."""
    sealed = Vault([OLD]).encrypt(b"x", b"p")

    with pytest.raises(StateError, match="old1"):
        Vault([NEW]).decrypt(sealed, b"p")


@pytest.mark.parametrize("position", [-1, 6, 20])
def test_an_altered_value_is_refused(position: int):
    """One flipped bit anywhere behind the key id is noticed."""
    vault = Vault([OLD])
    sealed = bytearray(vault.encrypt(b"some payload", b"p"))
    sealed[position] ^= 1

    with pytest.raises(StateError, match="altered"):
        vault.decrypt(bytes(sealed), b"p")


def test_a_value_cannot_be_moved_to_another_purpose():
    """A sealed mobile number put into the national id's column does not open."""
    vault = Vault([OLD])

    with pytest.raises(StateError):
        vault.open(vault.seal("1", "mobile"), "national_id")


def test_without_a_key_there_is_no_vault():
    """An empty key file is an error, not an unprotected installation."""
    with pytest.raises(StateError):
        Vault([])
