"""Sphinx settings: the pages are Markdown, read as they are on disk or built by ``make docs``."""

project = "seisvision"
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
