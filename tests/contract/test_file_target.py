"""The file target keeps every promise of the contract, in each of its forms."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from connectors.contract_suite import OpenTarget, TargetContract
from connectors.registry import load

# Rows: the two forms in which files stand for all there is; the three in which they tell of changes.
FORMS = [("csv", "full"), ("ldif", "full"), ("csv", "changes"), ("jsonl", "changes"), ("ldif", "changes")]


class TestFileTarget(TargetContract):
    """The file target in every format and mode."""

    containers: ClassVar = ("OU=Ansatte,DC=ks,DC=no", "OU=Sluttet,DC=ks,DC=no")
    list_attribute: ClassVar = "proxyAddresses"
    unknown_attribute: ClassVar = "noSuchAttribute"
    sku: ClassVar = "A3"

    @pytest.fixture(params=FORMS, ids="-".join)
    def open_target(self, tmp_path: Path, request: pytest.FixtureRequest) -> OpenTarget:
        """The same folder every time within a test."""
        file = load("file")
        form, mode = request.param
        options = file.options(
            path="export",
            format=form,
            mode=mode,
            base_dn="DC=ks,DC=no",
            account_name="uid",
            group_name="cn",
            attributes={"displayName": "str", "proxyAddresses": "list"},
            render_delay_seconds=60,
        )
        return lambda: file.open_target(options, tmp_path)
