"""Sphinx's configuration: `make docs` builds the site from the pages that the repository shows."""

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "site"))

project = "linear-grokking"
author = "The linear-grokking developers"
version = release = metadata.version("linear-grokking")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "start_page",
    "figure_pages",
    "api_pages",
    "docstrings",
]
exclude_patterns = ["_build", "gallery", "loops", "paper_size", "site"]
default_role = "py:obj"
nitpicky = True
# Types of other libraries and short names of shapes have no page here.
nitpick_ignore_regex = [("py:class", ".*"), ("py:exc", r"torch\..*")]
python_maximum_signature_line_length = 88

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_output_stderr = "remove"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_param = False
napoleon_use_rtype = False

# Formulas are drawn by the reader's browser, by a file that comes along: no network is needed.
_mathjax = "sphinx-mathjax-offline/static/mathjax/tex-svg.js"
[_mathjax_file] = [
    file for file in metadata.files("sphinx-mathjax-offline") or [] if str(file) == _mathjax
]
mathjax_path = _mathjax_file.name

html_theme = "furo"
html_title = "linear-grokking"
html_static_path = [str(_mathjax_file.locate()), "site/site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
