"""What the reward was made of, and how episodes ended, over the training."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trackway.errors import QueryError
from trackway.query.figures.data import GRID, WINDOW, Floats, Subject, recent
from trackway.query.figures.style import FILLS, INK, LINES, count_axis, new_figure, plain

_MOST_REASONS: Final = 8
# What is no fault of the policy is drawn so, whatever its share.
_CALM: Final = {"time limit": "#D9D9D9", "time_limit": "#D9D9D9", "truncated": "#D9D9D9"}


def draw_components(subject: Subject, title: str | None) -> Any:
    """Reward components upwards, costs downwards, and what remains.

    Raises:
        QueryError: The run recorded no components.
    """
    episodes = subject.episodes()
    names = [n for n in episodes.names if n.startswith(("reward_components.", "cost_components."))]
    if not names or "length" not in episodes:
        raise QueryError(f"{subject.facts.name} recorded no reward components of its episodes")
    x, length = episodes["timestep"], np.maximum(episodes["length"], 1)
    grid = _grid(x)
    curves: dict[str, Floats] = {}
    for name in names:
        sign = -1.0 if name.startswith("cost_") else 1.0
        curves[name] = sign * recent(x, episodes[name] / length, grid)
    net = np.nansum(list(curves.values()), axis=0)
    known = ~np.isnan(np.stack(list(curves.values()))).all(axis=0)
    grid, net = grid[known], net[known]
    curves = {n: np.nan_to_num(c[known]) for n, c in curves.items()}
    figure = new_figure(3.4)
    axis = figure.subplots()
    order = sorted(curves, key=lambda n: -abs(curves[n]).mean())
    colors = dict(zip(order, [*FILLS, *LINES] * 9, strict=False))
    for name, low, high in layers(order, curves):
        axis.fill_between(grid, low, high, color=colors[name], linewidth=0, alpha=0.9)
    for name in sorted(order, key=lambda n: -curves[n].mean()):
        mark = "- " if name.startswith("cost_") else "+ "
        axis.fill_between([], [], [], color=colors[name], label=mark + plain(name))
    from matplotlib.patheffects import Normal, Stroke

    halo = [Stroke(linewidth=3.2, foreground="white"), Normal()]
    axis.plot(grid, net, color=INK, linewidth=1.6, label="= reward", path_effects=halo)
    axis.axhline(0, color=INK, linewidth=0.5)
    axis.set_xmargin(0)
    axis.set_ylabel("reward per step")
    count_axis(axis, f"timesteps (mean of the last {WINDOW} episodes)")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.2)
    axis.set_title(title or f"{subject.label}: what the reward was made of")
    return figure


def layers(order: list[str], curves: dict[str, Floats]) -> list[tuple[str, Floats, Floats]]:
    """Bands that do not cover each other: what is positive upwards from zero, the rest downwards."""
    above = below = np.zeros_like(next(iter(curves.values())))
    made: list[tuple[str, Floats, Floats]] = []
    for name in order:
        up, down = np.maximum(curves[name], 0.0), np.minimum(curves[name], 0.0)
        if up.any():
            made.append((name, above, above + up))
        if down.any():
            made.append((name, below + down, below))
        above, below = above + up, below + down
    return made


def draw_terminations(subject: Subject, title: str | None) -> Any:
    """How episodes ended: the share of each reason.

    Raises:
        QueryError: The run's episodes tell no reasons.
    """
    episodes = subject.episodes()
    told = [reason or "unknown" for reason in episodes.texts("termination_reason")]
    if not any(episodes.texts("termination_reason")):
        raise QueryError(f"the episodes of {subject.facts.name} tell no termination_reason")
    reasons = np.array(told)
    names, counts = np.unique(reasons, return_counts=True)
    kept = [str(n) for n in names[np.argsort(-counts)]]
    if len(kept) > _MOST_REASONS:
        rare = kept[_MOST_REASONS - 1 :]
        reasons = np.where(np.isin(reasons, rare), "other", reasons)
        kept = [*kept[: _MOST_REASONS - 1], "other"]
    kept.sort(key=lambda name: name in _CALM)
    x = episodes["timestep"]
    grid = _grid(x)
    shares = np.stack([recent(x, (reasons == name).astype(float), grid) for name in kept])
    known = ~np.isnan(shares).any(axis=0)
    figure = new_figure(2.8)
    axis = figure.subplots()
    # What ended most episodes before their time in the colour of a warning.
    fills = iter((FILLS[3], *FILLS[:3], *FILLS[4:]))
    colors = [_CALM.get(name) or next(fills) for name in kept]
    labels = [f"{name.replace('_', ' ')}  ({np.sum(reasons == name):,})" for name in kept]
    axis.stackplot(grid[known], shares[:, known], labels=labels, colors=colors, linewidth=0)
    axis.set_ylim(0, 1)
    axis.set_xmargin(0)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axis.set_ylabel("share of the episodes")
    count_axis(axis, f"timesteps (last {WINDOW} episodes)")
    handles, names_told = axis.get_legend_handles_labels()
    axis.legend(
        handles[::-1],
        names_told[::-1],
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        handlelength=1.2,
    )
    axis.set_title(title or f"{subject.label}: how episodes ended")
    return figure


def _grid(x: Floats) -> Floats:
    return np.linspace(0.0, float(np.nanmax(x)), GRID)
