"""Sphinx settings: the pages are Markdown, read as they are on disk or built by ``make docs``."""

project = "seisvision"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
html_theme = "furo"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
html_title = "seisvision"
html_show_copyright = False
highlight_language = "none"  # commands are no Python; blocks of Python say so
