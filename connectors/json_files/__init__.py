"""Source `json`: JSON documents and JSON Lines, one table per array.

Objects become rows of text: nested objects are flattened to `a.b`, arrays of plain values joined with commas, null is
the empty string, numbers stand as they are written. Arrays of objects are no columns but tables of their own
(`within`), whose columns are followed by those of the record they stand in, as `parent.<name>`.

Without `columns`, the columns of a table are found in a pass over the whole file before the one that reads it.
"""

from __future__ import annotations

from connectors.contract import Connector
from connectors.json_files.options import JsonOptions
from connectors.json_files.source import JsonSource

connector = Connector(type="json", options=JsonOptions, open_source=JsonSource)
