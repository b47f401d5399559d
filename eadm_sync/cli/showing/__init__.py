"""How plans, reports of runs and explanations look: as text, JSON, Markdown and HTML."""
