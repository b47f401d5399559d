"""Turns the records of sources into people, streaming, and safe against every kind of broken file.

`read_import` reads every source, finds out what differs from what is stored, links records to people and judges the
absences; `Imported.write` writes the result in the caller's transaction.
"""

from eadm_sync.importing.imported import Imported, SourceReport
from eadm_sync.importing.importing import read_import
from eadm_sync.importing.mapping import compile_mapping
from eadm_sync.importing.records import Hold, Quarantined, SourcePerson

__all__ = [
    "Hold",
    "Imported",
    "Quarantined",
    "SourcePerson",
    "SourceReport",
    "compile_mapping",
    "read_import",
]
