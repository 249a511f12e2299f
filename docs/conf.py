"""Sphinx settings: the pages are Markdown, read as they are on disk or built by ``make docs``."""

project = "seisvision"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
myst_heading_anchors = 3
# Notebooks are for a reader with a kernel; the tests run them.
exclude_patterns = ["_build", "notebooks"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_rtype = False
