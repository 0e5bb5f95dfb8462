"""A run as Markdown, HTML and LaTeX, with its figures."""
