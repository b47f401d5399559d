"""Settings of the target `active_directory`."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.active_directory import ActiveDirectoryOptions

GOOD: dict[str, Any] = {"servers": ["dc1.eksempel.no"], "user": "svc@eksempel.no", "password": "hemmelig-ord"}


def test_a_server_and_somebody_to_sign_in_as_are_enough() -> None:
    """The connection is encrypted without being asked to."""
    options = ActiveDirectoryOptions.model_validate(GOOD)
    assert (options.encryption, options.authentication) == ("tls", "simple")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"servers": []}, "at least 1 item"),
        ({"encryption": "none"}, "'tls' or 'start_tls'"),  # there is no third
        ({"password": ""}, "needs `user` and `password`"),  # a bind without one succeeds, as nobody
        ({"user": ""}, "needs `user` and `password`"),
        ({"authentication": "kerberos"}, "leave out `user` and `password`"),
        ({"base_dn": "eksempel.no"}, "distinguished name"),
        ({"account_containers": ["Ansatte"]}, "distinguished name"),
        ({"account_containers": ["OU=Ansatte,Elever"]}, "distinguished name"),
        ({"account_containers": [""]}, "distinguished name"),
        ({"page_size": 5000}, "less than or equal to 1000"),
        ({"attributes": {"carLicense": "text"}}, "'str', 'bool', 'int' or 'list'"),
        ({"verify": False}, "Extra inputs"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    """With what would be right, and never with the password."""
    with pytest.raises(ValidationError) as caught:
        ActiveDirectoryOptions.model_validate({**GOOD, **given})
    assert says in str(caught.value)
    assert "hemmelig-ord" not in repr(caught.value.errors(include_input=False))


def test_the_password_is_not_shown() -> None:
    """Neither in a trace nor in a log."""
    assert "hemmelig-ord" not in repr(ActiveDirectoryOptions.model_validate(GOOD))
