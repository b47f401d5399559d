"""Sources and targets. One folder or file per system; they know records and anchors, never people or rules."""
