"""Results as pictures, drawn by matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from qrt_async.cli.histogram import label
from qrt_async.errors import MissingExtra, UsageError
from qrt_async.models.results import BitArray, PrimitiveResult, PubData

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BARS = 32
_MOST_PANELS = 24
_WIDTH, _HEIGHT = 7.0, 3.2  # inches


def check(path: Path | None) -> None:
    """
    Refuse a picture that could not be drawn, before anything is sent for it.

    Raises:
        UsageError: the name ends neither in .png nor in .svg, or its folder does not exist.
        MissingExtra: matplotlib is not installed.

    """
    if path is None:
        return
    if path.suffix.lower() not in {".png", ".svg"}:
        raise UsageError(f"a plot is a .png or .svg file, not {path}")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("--plot needs matplotlib: pip install 'qrt-async[plot]'")


def draw(found: Any, path: Path) -> None:
    """
    Draw a result into a file: bars for the counts of each register, points with error bars for expectation values.

    Of more than 32 bitstrings the most frequent ones are drawn, of more than 24 panels the first.

    Raises:
        UsageError: it is no primitive's result, or the file cannot be written.

    """
    from matplotlib.figure import Figure

    panels = _panels(found)[:_MOST_PANELS]
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(panels)), layout="constrained")
    axes = cast("list[Axes]", figure.subplots(len(panels), squeeze=False)[:, 0].tolist())
    for axis, (title, data) in zip(axes, panels, strict=True):
        axis.set_title(title, loc="left")
        if isinstance(data, PubData):
            _points(axis, data)
        else:
            _bars(axis, data)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _panels(found: Any) -> list[tuple[str, Any]]:
    pubs = found if isinstance(found, PrimitiveResult) else ()
    panels: list[tuple[str, Any]] = []
    for i, pub in enumerate(pubs):
        data: PubData[Any] = pub.data
        if "evs" in data:
            panels.append((f"PUB {i}", data))
        for name, value in data.items():
            if isinstance(value, BitArray):
                panels += [(f"PUB {i}: {name}{list(at) if at else ''}", _counts(value, at)) for at in _sets(value)]
    if not panels:
        raise UsageError("this result has neither counts nor expectation values to be drawn")
    return panels


def _sets(bits: BitArray) -> list[tuple[int, ...]]:
    import numpy as np

    return list(np.ndindex(bits.shape))


def _counts(bits: BitArray, at: tuple[int, ...]) -> Mapping[str, int]:
    return (bits[at] if at else bits).counts()


def _bars(axis: Axes, counts: Mapping[str, int]) -> None:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_BARS]
    shown = dict(sorted(most))
    names = [label(bits) for bits in shown]
    axis.bar(range(len(shown)), list(shown.values()), color="tab:blue")
    axis.set_xticks(
        range(len(shown)),
        names,
        rotation=90 if len(shown) > 8 or any(len(name) > 8 for name in names) else 0,
        family="monospace",
    )
    axis.set_ylabel("shots")
    if len(shown) < len(counts):
        axis.set_xlabel(f"the {len(shown)} most frequent of {len(counts)} bitstrings")


def _points(axis: Axes, data: PubData[Any]) -> None:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    evs = np.asarray(data["evs"], dtype=float).ravel()
    stds = data.get("stds")
    errors = None if stds is None else np.asarray(stds, dtype=float).ravel()
    axis.errorbar(range(len(evs)), evs, yerr=errors, fmt="o", capsize=3, color="tab:blue")
    axis.set_xlabel("index")
    axis.set_ylabel("expectation value")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(visible=True, alpha=0.3)
