"""The tests that every target passes, shipped so that a connector of your own can be held to them.

    from connectors.contract_suite import TargetContract

    class TestMyTarget(TargetContract):
        text_attribute = "displayName"

        @pytest.fixture
        def open_target(self, tmp_path):
            return lambda: MyTarget(tmp_path)

Needs pytest and hypothesis. The target need not be empty: every test works on objects it made itself.
"""

import pytest

for _module in (
    "accounts",
    "base",
    "groups",
    "histories",
    "licences",
    "memberships",
    "nestings",
    "passwords",
    "reading",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from connectors.contract_suite.accounts import AccountContract  # noqa: E402 - asserts are rewritten only from here on
from connectors.contract_suite.base import Hand, OpenTarget  # noqa: E402
from connectors.contract_suite.groups import GroupContract  # noqa: E402
from connectors.contract_suite.histories import HistoryContract  # noqa: E402
from connectors.contract_suite.licences import LicenceContract  # noqa: E402
from connectors.contract_suite.memberships import MembershipContract  # noqa: E402
from connectors.contract_suite.nestings import NestingContract  # noqa: E402
from connectors.contract_suite.passwords import PasswordContract  # noqa: E402
from connectors.contract_suite.reading import ReadingContract  # noqa: E402

__all__ = ["Hand", "OpenTarget", "TargetContract"]


class TargetContract(
    AccountContract,
    GroupContract,
    MembershipContract,
    NestingContract,
    LicenceContract,
    PasswordContract,
    ReadingContract,
    HistoryContract,
):
    """Every promise of `connectors.contract.Target`. Subclass it and say how your target is opened."""
