"""`python -m eadm_sync` is `eadm-sync`."""

from eadm_sync.cli import main

main()
