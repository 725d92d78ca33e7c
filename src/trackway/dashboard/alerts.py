"""What about a run wants looking at: rules over what it has recorded, no state of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.dashboard.messages import Alert, AlertKind
from trackway.errors import TrackwayError
from trackway.query.facts import RunFacts
from trackway.query.run_view import RunView
from trackway.storage import ring
from trackway.storage.places import attempts

Floats = npt.NDArray[np.float64]

# Episodes over which a return is a mean; a collapse takes half of what was gained, and lasts.
EPISODES: Final = 50
COLLAPSE: Final = 0.5
# Above both, an update moved the policy so far that it may not come back.
KL: Final = 0.1
KL_TIMES_USUAL: Final = 5.0
# Of a disk: what should stay free, and of which pace of growth the rest of a training takes more.
DISK_FREE_SHARE: Final = 0.03
DISK_FREE_BYTES: Final = 1 << 30


def alerts(view: RunView, facts: RunFacts, now_unix: float) -> list[Alert]:
    """Everything that wants looking at, the newest first."""
    found = [*_events(view), *_collapse(view), *_kl(view), *_standing(facts, now_unix)]
    if facts.live:
        found += [*_disk(facts, now_unix), *_lost(facts, now_unix)]
    told = [{**alert, "run": facts.name} for alert in found]
    told.sort(key=lambda alert: -float(alert["since_unix"]))
    return told  # type: ignore[return-value]


def _alert(
    kind: AlertKind, since_unix: float, timestep: float | None = None, **facts: Any
) -> dict[str, Any]:
    at = None if timestep is None else int(timestep)
    return {"kind": kind, "since_unix": since_unix, "timestep": at, "facts": facts}


def _events(view: RunView) -> Iterator[dict[str, Any]]:
    """What the recorder itself noticed: the first of each kind, and how often."""
    events = view.records("events")
    if not len(events):
        return
    kinds = np.array([kind or "" for kind in events.texts("event")])
    where = events.texts("where") if "where" in events.text_names else []
    kind: AlertKind
    for event, kind in (("not_finite", "not_finite"), ("simulation_diverged", "diverged")):
        found = np.flatnonzero(kinds == event)
        if len(found):
            first = int(found[0])
            told = {"times": len(found)}
            place = {"where": where[first]} if where and where[first] else {}
            yield _alert(kind, events["unix_s"][first], events["timestep"][first], **told, **place)


def _collapse(view: RunView) -> Iterator[dict[str, Any]]:
    episodes = view.records("episodes")
    if "return" not in episodes:
        return
    returns = episodes["return"]
    known = np.isfinite(returns)
    if known.sum() < 4 * EPISODES:
        return
    means = _running_mean(returns[known], EPISODES)
    best_at = int(np.argmax(means))
    best, now, begun = float(means[best_at]), float(means[-1]), float(means[0])
    fallen = best - now
    # More than the noise of such means, of which the best is the luckiest of many.
    noise = float(np.std(returns[known][-EPISODES:])) / np.sqrt(EPISODES)
    luck = 4 + np.sqrt(2 * np.log(len(means) / EPISODES))
    if fallen > COLLAPSE * (best - min(begun, now)) and fallen > luck * noise and now < best:
        low = best - COLLAPSE * (best - min(begun, now))
        since = best_at + int(np.argmax(means[best_at:] < low))
        index = np.flatnonzero(known)[min(since + EPISODES - 1, int(known.sum()) - 1)]
        yield _alert(
            "collapse",
            episodes["unix_s"][index],
            episodes["timestep"][index],
            best=best,
            now=now,
        )


def _kl(view: RunView) -> Iterator[dict[str, Any]]:
    updates = view.records("updates")
    if "train/approx_kl" not in updates:
        return
    kl = updates["train/approx_kl"]
    usual = float(np.nanmedian(kl)) if np.isfinite(kl).any() else 0.0
    found = np.flatnonzero(kl > max(KL, KL_TIMES_USUAL * usual))
    # One that the training has long come back from is history.
    if len(found) and found[-1] >= len(kl) - 50:
        last = int(found[-1])
        yield _alert(
            "kl",
            updates["unix_s"][last],
            updates["timestep"][last],
            kl=float(kl[last]),
            usual=usual,
        )


def _standing(facts: RunFacts, now_unix: float) -> Iterator[dict[str, Any]]:
    since = facts.ended_unix or now_unix
    if facts.status == "stalled":
        yield _alert("stalled", since, facts.timesteps)
    if facts.status == "crashed":
        yield _alert("crashed", since, facts.timesteps, checkpoints=facts.checkpoints)


def _disk(facts: RunFacts, now_unix: float) -> Iterator[dict[str, Any]]:
    try:
        usage = shutil.disk_usage(facts.path)
    except OSError:
        return
    if usage.free < max(DISK_FREE_BYTES, DISK_FREE_SHARE * usage.total):
        yield _alert("disk", now_unix, facts.timesteps, free_bytes=usage.free)


def _lost(facts: RunFacts, now_unix: float) -> Iterator[dict[str, Any]]:
    for attempt in attempts(Path(facts.path))[-1:]:
        for folder in attempt.streams():
            try:
                memory = ring.find_ring(folder.ring_pointer)
            except TrackwayError:
                continue
            if memory is None:
                continue
            lost = memory.words[ring.LOST] + memory.words[ring.DISCARDED]
            if lost:
                yield _alert(
                    "lost_rows", now_unix, facts.timesteps, stream=folder.name, rows=lost,
                    why=memory.said(),
                )  # fmt: skip


def _running_mean(values: Floats, width: int) -> Floats:
    sums = np.cumsum(np.insert(values, 0, 0.0))
    return (sums[width:] - sums[:-width]) / width
