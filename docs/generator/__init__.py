"""Makes the generated parts of this folder: the references and the JSON Schemas. `make docs` runs it."""
