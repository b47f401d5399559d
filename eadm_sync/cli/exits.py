"""What the program's exit codes mean; the same for every command."""

DONE = 0
"""Nothing is left to do, or what was asked for is done."""
FAILED = 1
"""Something failed: it was said on standard error."""
CHANGES = 2
"""`plan`: there are changes. Also Typer's own code for a wrong command line."""
HELD = 3
"""A brake holds some of it, or somebody has to say which account is whose; the rest went on."""
DECLINED = 4
"""Somebody was asked and said no; nothing was written."""
INTERRUPTED = 130
"""Ctrl-C, as shells have it."""
