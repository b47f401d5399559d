"""Identity lifecycle sync: HR and school records in; accounts, groups and licences out."""

__version__ = "0.1.0"
