"""The directive that puts the table of operations into a page."""

from __future__ import annotations

from importlib.metadata import version

import operation_rows
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class OperationsTable(SphinxDirective):
    """Puts the table where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes."""
        since = version("qrt-async")
        lines = [".. list-table::", "   :header-rows: 1", ""]
        lines += _cells("operation", "our method", "emulator", "since", "tested in")
        for row in operation_rows.rows():
            tests = ", ".join(f"``{name}``" for name in row.tests[:3])
            lines += _cells(
                f"``{row.operation.method} {row.operation.path}``",
                ", ".join(f"``{one}``" for one in row.ours) or "-",
                "yes" if row.served else "-",
                since if row.ours else "",
                tests,
            )
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="operations"), self.content_offset, container)
        return container.children


def _cells(*cells: str) -> list[str]:
    return [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(cells)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("operations-table", OperationsTable)
    return {"parallel_read_safe": True}
