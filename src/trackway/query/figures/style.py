"""How every figure looks: sizes for print, colours that colour-blind readers tell apart, fonts."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trackway import files
from trackway.query.extras import need

WIDTH_IN: Final = 7.2  # two columns of a paper
# Okabe and Ito (2008), by how well they are told apart as lines on white.
LINES: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Paul Tol's "muted": ten fills that are told apart side by side.
FILLS: Final = (
    *("#88CCEE", "#44AA99", "#DDCC77", "#CC6677", "#117733"),
    *("#AA4499", "#999933", "#332288", "#882255", "#BBBBBB"),
)
INK: Final = "#222222"
QUIET: Final = "#8a8a8a"
ASIDE: Final = "#6b6b6b"
_FONTS: Final = ("DejaVu Sans", "Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR")
_MORE_FONTS: Final = ("NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Serif CJK JP")
FORMATS: Final = ("png", "svg", "pdf")


@contextlib.contextmanager
def style() -> Iterator[Any]:
    """`matplotlib.pyplot` without a window, in this style as long as the context lasts.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    mpl = need("matplotlib", "trackway plot", "plot")
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    settings = {
        "font.family": [name for name in (*_FONTS, *_MORE_FONTS) if name in known],
        "font.size": 8,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8,
        "axes.labelcolor": INK,
        "axes.edgecolor": QUIET,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.5,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.3,
        "legend.frameon": False,
        "legend.fontsize": 7,
        "figure.titlesize": 10,
        "figure.titleweight": "bold",
        # Text as outlines: a figure looks the same where a font is missing.
        "svg.fonttype": "path",
        "svg.hashsalt": "trackway",
    }
    from matplotlib import pyplot as plt

    with mpl.rc_context(settings):
        yield plt


def new_figure(height_in: float, *, width_in: float = WIDTH_IN) -> Any:
    """An empty figure that no window knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def save(figure: Any, path: Path) -> None:
    """Publish a figure, in the format that its name ends in."""
    data = io.BytesIO()
    kind = path.suffix.removeprefix(".")
    # The same data make the same bytes.
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else {}
    figure.savefig(data, format=kind, dpi=300, metadata=metadata)
    files.publish(path, data.getbuffer())


def aside(figure: Any, text: str) -> None:
    """What a caption would say, small, at the upper right."""
    figure.text(0.995, 0.985, text, ha="right", va="top", fontsize=6.5, color=ASIDE)


def count_axis(axis: Any, label: str) -> None:
    """A horizontal axis of counts: 200k, 1.5M."""
    axis.xaxis.set_major_formatter(lambda value, _: short(value))
    axis.set_xlabel(label)


def short(count: float) -> str:
    """A count as people write it on an axis.

    >>> short(1_500_000), short(200_000), short(12)
    ('1.5M', '200k', '12')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.10g}{letter}"
    return f"{count:.10g}"


def plain(name: str) -> str:
    """A key as a label.

    >>> plain("reward_components.velocity_tracking")
    'velocity tracking'
    """
    return name.rpartition(".")[2].replace("_", " ")
