"""Settings of the target `google`: what is refused, and in which words."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.google_workspace import open_target
from connectors.google_workspace.options import GoogleOptions

KEY = {"key_file": "key.json", "subject": "admin@kommune.example"}
KEYLESS = {
    "authentication": "keyless",
    "service_account": "eadm-sync@x.iam.gserviceaccount.com",
    "subject": "admin@kommune.example",
}
PRODUCT = {"product": "101031", "sku": "1010310008"}


@pytest.mark.parametrize("given", [KEY, KEYLESS])
def test_both_ways_to_sign_in_are_settings(given: dict[str, Any]):
    """A key file, or none."""
    assert GoogleOptions.model_validate(given).subject == "admin@kommune.example"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({**KEY, "key_file": None}, "`authentication: key_file` needs `key_file`"),
        ({**KEY, "service_account": "x"}, "`authentication: key_file` knows no `service_account`"),
        ({**KEYLESS, "service_account": None}, "`authentication: keyless` needs `service_account`"),
        ({**KEYLESS, "key_file": "x"}, "`authentication: keyless` knows no `key_file`"),
        ({**KEY, "subject": "admin"}, "subject"),
        ({**KEY, "endpoint": "http://admin.googleapis.com"}, "must begin with https://"),
        ({**KEY, "custom_fields": {"trinn": "str"}}, "`trinn` is not `<schema>.<field>`"),
        ({**KEY, "custom_fields": {"phones.work": "str"}}, "`phones.work` is not `<schema>.<field>`"),
        ({**KEY, "external_ids": ["EADM-sync"]}, "`external_ids` names `owner_type`"),
        ({**KEY, "required": ["shoeSize"]}, "`shoeSize` is no attribute"),
        ({**KEY, "licences": {"a": PRODUCT, "b": PRODUCT}}, "names one SKU twice"),
        ({**KEY, "colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], words: str):
    """What is wrong, and what would be right."""
    with pytest.raises(ValidationError, match=words):
        GoogleOptions.model_validate(given)


def test_what_the_settings_name_can_be_set(tmp_path: Any):
    """Custom fields, external ids of one's own, and what is required beside the names."""
    given = {"custom_fields": {"Skole.trinn": "int"}, "external_ids": ["fint"], "required": ["Skole.trinn"]}
    able = open_target(GoogleOptions.model_validate({**KEY, **given}), tmp_path).capabilities

    assert able.attributes["Skole.trinn"] == "int"
    assert able.attributes["externalIds.fint"] == "str"
    assert able.required == ("primaryEmail", "givenName", "familyName", "Skole.trinn")


def test_the_client_is_not_loaded_before_it_is_needed():
    """It takes half a second, and every command reads the settings of every target."""
    words = "import sys, connectors.google_workspace; print(sorted({'googleapiclient', 'httplib2'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
