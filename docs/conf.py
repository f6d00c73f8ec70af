"""Sphinx: furo for the look, MyST so that every page is Markdown."""

from importlib.metadata import version as installed_version

project = "Assay"
author = "The Assay authors"
copyright = "2026, The Assay authors"
release = version = installed_version("assay")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "Assay"
html_show_sourcelink = False

default_role = "code"  # docstrings are written in Markdown's way
autodoc_typehints = "none"  # the signature shows them; shapes would not fit a table
autodoc_member_order = "bysource"
