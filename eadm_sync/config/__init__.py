"""Configuration files: YAML with places, settings, secrets from outside, keys, JSON Schema."""
