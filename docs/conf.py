"""How the documentation is built."""

from __future__ import annotations

import sys
from pathlib import Path

project = "qrt_async"
author = "the qrt_async developers"
project_copyright = "the qrt_async developers"

sys.path.insert(0, str(Path(__file__).parent))

extensions = ["myst_parser", "operations_table", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "qrt_async"
exclude_patterns = ["_build"]
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
default_role = "code"
