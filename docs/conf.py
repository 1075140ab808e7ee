"""The site: what Sphinx reads. ``make docs`` builds it into ``docs/_build/html``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: small products gain nothing from more
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
HERE = Path(__file__).parent
os.environ.setdefault("COTRAIN_DATA", str(HERE.parents[1] / "shared" / "data"))
sys.path.insert(0, str(HERE / "_ext"))

import gallery  # noqa: E402

import cotrain  # noqa: E402

for _name in cotrain.__all__:
    getattr(cotrain, _name)  # imported on first use: autodoc looks for what is already there

project = "cotrain"
author = "the cotrain authors"
copyright = "the cotrain authors"
release = version = cotrain.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "references",
    "results_pages",
]
exclude_patterns = ["_build", "gallery/*.zip", "gallery/*.md5", "gallery/*.ipynb"]
templates_path = ["_templates"]

# Pages are MyST Markdown; a missing page, heading or file is a warning, and warnings are errors.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",  # pages of results begin at the level that their script writes
    "config.cache",  # the gallery's settings hold functions
]

# The reference comes from the docstrings alone.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and meanings stand in the text, types in the signature
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"exclude-members": "__init__, __new__, __post_init__"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True

# Every example is run when the site is built; one that fails stops the build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery.in_order",
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"PosixPath|int|NoneType",
    "image_scrapers": (),
    "reset_modules": ("gallery.reset",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "plot_gallery": "True",
}

html_theme = "furo"
html_title = "cotrain"
html_static_path = ["_static", str(gallery.plotly_js())]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5f99", "color-brand-content": "#1f5f99"},
    "dark_css_variables": {"color-brand-primary": "#7db8ee", "color-brand-content": "#7db8ee"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
