"""Every figure of some runs, written into a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from trackway.errors import QueryError
from trackway.query.figures import learning, movement, shares
from trackway.query.figures.data import Subject
from trackway.query.figures.style import save, style

KINDS: Final = ("learning", "components", "terminations", "gait", "joints")


def plot(
    subjects: Sequence[Subject],
    folder: Path,
    *,
    kinds: Sequence[str] | None = None,
    formats: Sequence[str] = ("png",),
    title: str | None = None,
    episode: int | None = None,
    env: int | None = None,
    start: float = 0.0,
) -> tuple[list[Path], list[str]]:
    """Draw runs: learning curves of all in one figure, everything else for each.

    Args:
        subjects: The runs.
        folder: Where figures are written.
        kinds: Of `KINDS`; all that can be drawn when not given.
        formats: Of `style.FORMATS`.
        title: In the place of the run's name.
        episode: Whose movement is drawn, as the environment numbers it.
        env: Of which environment.
        start: Where in the episode the drawing of movement begins, s.

    Returns:
        What was written, and for what could not be drawn a sentence each.

    Raises:
        QueryError: A kind that was asked for cannot be drawn, or nothing can.
        MissingExtraError: matplotlib is not installed.
    """
    which = {"episode": episode, "env": env, "start": start}
    drawings: list[tuple[str, Callable[[], Any]]] = []
    for kind in kinds or KINDS:
        if kind == "learning":
            drawings.append(("learning", lambda: learning.draw(subjects, title)))
            continue
        for subject in subjects:
            name = f"{kind}-{_file_name(subject.facts.name)}" if len(subjects) > 1 else kind
            drawings.append((name, _drawing(kind, subject, title, which)))
    written, missing = [], []
    with style():
        for name, draw in drawings:
            try:
                figure = draw()
            except QueryError as error:
                if kinds:
                    raise
                missing.append(str(error))
                continue
            for kind in formats:
                path = folder / f"{name}.{kind}"
                save(figure, path)
                written.append(path)
    missing = list(dict.fromkeys(missing))  # several kinds may miss the same
    if not written:
        raise QueryError("; ".join(missing) or "there is nothing to draw")
    return written, missing


def _drawing(
    kind: str, subject: Subject, title: str | None, which: dict[str, Any]
) -> Callable[[], Any]:
    match kind:
        case "components":
            return lambda: shares.draw_components(subject, title)
        case "terminations":
            return lambda: shares.draw_terminations(subject, title)
        case "gait":
            return lambda: movement.draw_gait(subject, title, **which)
        case "joints":
            return lambda: movement.draw_joints(subject, title, **which)
        case _:
            raise QueryError(f"there is no figure {kind!r}; there are: {', '.join(KINDS)}")


def _file_name(name: str) -> str:
    return re.sub(r"[/\\\0]", "_", name)
