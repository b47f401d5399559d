"""Source `oneroster`: the CSV files of OneRoster 1.1 and 1.2, in a folder or a zip, with the dirt real exports have.

Sources: 1EdTech "OneRoster v1.1 Final Specification" and "OneRoster: CSV Binding 1.2.1",
https://www.imsglobal.org/spec/oneroster/v1p2/bind/csv.
"""

from __future__ import annotations

from connectors.contract import Connector
from connectors.oneroster.mapping import MAPPING
from connectors.oneroster.source import OneRosterOptions, OneRosterSource

connector = Connector(type="oneroster", options=OneRosterOptions, open_source=OneRosterSource, mapping=MAPPING)
