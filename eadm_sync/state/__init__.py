"""What the engine remembers between runs: people, known state, identifiers, runs, plans, audit. One database."""
