"""What a command says: its answer to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
import unicodedata
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qrt_async.notices import ServiceWarning


def printable(text: str) -> str:
    """Return a text of the service's as one that cannot steer a terminal."""
    return "".join("�" if unicodedata.category(char) == "Cc" and char not in "\n\t" else char for char in text)


@attrs.frozen
class Output:
    """
    The two streams of a command.

    `json` says that the answer is a JSON document. Colours and moving progress appear on terminals only, colours only
    where NO_COLOR is not set.
    """

    json: bool
    out: Console = attrs.field(factory=lambda: Console(markup=False, highlight=False))
    err: Console = attrs.field(factory=lambda: Console(stderr=True, markup=False, highlight=False))

    def document(self, value: Any) -> None:
        """Give the answer as one line of JSON."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()

    def text(self, text: str | Text | Table) -> None:
        """Give (a part of) the answer."""
        self.out.print(printable(text) if isinstance(text, str) else text)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]], *, otherwise: str) -> None:
        """Give rows under their heads, the first column never broken; `otherwise` is said where there are none."""
        found = list(rows)
        if not found:
            self.note(otherwise)
            return
        self.out.print(table(heads, found))

    def pairs(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Give names and values, one a line, without those that have none."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value is not None and value != "":
                grid.add_row(name, cell(value))
        self.out.print(grid)

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self.err.print(printable(text), style="dim")

    def fail(self, text: str) -> None:
        """Say why the command failed."""
        self.err.print(Text.assemble(("qrt: ", "bold red"), printable(text)))

    @contextmanager
    def progress(self, text: str) -> Generator[None, None, None]:
        """Show on a terminal that something lasts, and how long it has by now."""
        if not self.err.is_terminal:
            yield
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        with Progress(*columns, console=self.err, transient=True) as shown:
            shown.add_task(printable(text), total=None)
            yield

    @contextmanager
    def remarks(self) -> Generator[None, None, None]:
        """Say the library's warnings as notes while the block lasts."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", ServiceWarning)
            warnings.filterwarnings("always", "could not log out", ResourceWarning)
            warnings.showwarning = lambda message, *_args, **_rest: self.note(f"note: {message}")
            yield


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return rows under their heads, numbers to the right, the first column never broken."""
    found = list(rows)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for i, head in enumerate(heads):
        numbers = all(isinstance(row[i], int | float) or row[i] is None for row in found)
        made.add_column(head, no_wrap=i == 0, overflow="fold", justify="right" if numbers and found else "left")
    for row in found:
        made.add_row(*map(cell, row))
    return made


def cell(value: object) -> Text:
    """Return a value as a table shows it."""
    if value is None or value == "":
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}")
    return value if isinstance(value, Text) else Text(printable(str(value)))
