"""Hashes of passwords, held against those that OpenSSL makes."""

from __future__ import annotations

import pytest

from connectors.google_workspace.hashing import sha512_crypt


# Rows made by `openssl passwd -6 -salt …`: one of each length up to a digest, longer than one, and with other letters.
@pytest.mark.parametrize(
    ("password", "hashed"),
    [
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "x",
            "$6$abcdefghijklmnop$4MjOne1jVRKP4IuHRPFedC4vlQHNjvcBfQJVlfB8ciQ5YUzW2g81Pyw4sptw4femJ071/eApI0WDsBAOOCmTl0",
        ),
        (
            "y" * 100,
            "$6$ab$4.b/buEmXWpJZHUY8ZnYbmrUc0v4XgGZT6WpqUbICJxv2ydGq2TWFvQg3eJAd072jqRY5KbsfoEPMOWiQVuvz/",
        ),
    ],
)
def test_hashes_are_those_of_everybody_else(password: str, hashed: str):
    """Salt and all."""
    assert sha512_crypt(password, hashed.split("$")[2]) == hashed


def test_sixteen_characters_of_the_salt_count():
    """Others are not told either."""
    assert sha512_crypt("x", "s" * 20) == sha512_crypt("x", "s" * 16)
