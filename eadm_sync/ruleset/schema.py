"""The JSON Schema of ruleset files, for editors; made from the models that read them."""

from __future__ import annotations

from typing import Any

from eadm_sync.ruleset.document import RulesetFile


def ruleset_schema() -> dict[str, Any]:
    """JSON Schema (draft 7, as editors know it) of one ruleset file, with a description of every key."""
    schema = RulesetFile.model_json_schema()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **schema,
        "title": "eadm-sync ruleset",
        "description": "Who shall have what: conditions, identifiers, and rules for accounts, groups and licences.",
    }
