"""Turns the records of sources into people, streaming, and safe against every kind of broken file."""
