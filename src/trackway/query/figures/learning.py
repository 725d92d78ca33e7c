"""Learning curves: what episodes brought, over the training, with a band over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from trackway.query.figures.data import GRID, WINDOW, Floats, Subject, groups, recent, spread
from trackway.query.figures.style import LINES, aside, count_axis, new_figure

PANELS: Final = {
    "return": "episode return",
    "length": "episode length (steps)",
    "is_success": "success rate",
}


def draw(subjects: Sequence[Subject], title: str | None) -> Any:
    """A figure of all runs; those that differ by their seed alone are one curve.

    Raises:
        QueryError: A run has no finished episode.
    """
    found = groups(subjects)
    episodes = {id(s): s.episodes() for s in subjects}
    panels = [name for name in PANELS if any(name in e for e in episodes.values())]
    figure = new_figure(2.5)
    axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    seeds = max(len(members) for members in found.values())
    for color, (label, members) in zip(_cycle(), found.items(), strict=False):
        for axis, name in zip(axes, panels, strict=True):
            told = [episodes[id(s)] for s in members if name in episodes[id(s)]]
            curves = [(e["timestep"], e[name]) for e in told]
            if curves:
                x, middle, low, high = curve(curves, of_episodes=name != "is_success")
                # Beside bands over seeds, one over episodes would say something else.
                if len(curves) > 1 or seeds == 1:
                    axis.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
                axis.plot(x, middle, color=color, label=f"{label}  (n = {len(members)})")
    for axis, name in zip(axes, panels, strict=True):
        axis.set_title(PANELS[name])
        axis.set_xmargin(0)
        count_axis(axis, "timesteps")
        if name == "is_success":
            axis.set_ylim(-0.02, 1.02)
            axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    if len(found) > 1 or seeds > 1:
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)))
    band = (
        "line: mean over seeds, band: ± 1 standard deviation"
        if seeds > 1
        else "band: 10 to 90 % of the episodes"
    )
    figure.suptitle(title or _title(found), x=0.01, ha="left")
    aside(figure, f"last {WINDOW} episodes; {band}")
    return figure


def curve(
    runs: Sequence[tuple[Floats, Floats]], *, of_episodes: bool = True
) -> tuple[Floats, Floats, Floats, Floats]:
    """A middle line and a band, along timesteps.

    Of one run, the band is over its episodes; of several, over the runs, as far as all of them came.

    Args:
        runs: For each, timesteps and values of its episodes.
        of_episodes: Whether a band over the episodes of one run means something.

    Returns:
        Timesteps, middle, low, high; `[n]` each.
    """
    ends = [float(np.nanmax(x)) for x, _ in runs]
    grid = np.linspace(0.0, min(ends) if len(runs) > 1 else ends[0], GRID)
    means = np.stack([recent(x, y, grid) for x, y in runs])
    known = ~np.isnan(means).any(axis=0)
    grid, means = grid[known], means[:, known]
    middle = means.mean(axis=0)
    if len(runs) > 1:
        deviation = means.std(axis=0, ddof=1)
        return grid, middle, middle - deviation, middle + deviation
    low, high = spread(*runs[0], grid) if of_episodes else (middle, middle)
    return grid, middle, low, high


def _title(found: dict[str, list[Subject]]) -> str:
    return next(iter(found)) if len(found) == 1 else "Learning curves"


def _cycle() -> list[str]:
    return list(LINES) * 20
