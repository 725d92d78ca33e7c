"""Curves as the page draws them, in binary.

    | size of header, uint32 | header, JSON, padded to 4 | float32 arrays … |

The header tells for each curve how many buckets it has, where on the axis its float32 places
count from, and whether it is a band (places, least, most, mean) or a line (places, mean): a line
where each bucket is one value. `same` names an earlier curve whose places hold for this one too. A
curve of 500 buckets is 6 to 8 kB before compression: its 1,000 extremes and 500 means.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast, get_args

import numpy as np
import numpy.typing as npt
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import MAX_POINTS, NO_STORE, names, number, wholes
from trackway.dashboard.position import position, write_position
from trackway.dashboard.views import with_view
from trackway.dashboard.writers import together
from trackway.errors import DashboardError, QueryError
from trackway.query.axis import X
from trackway.query.run_view import Curve, RunView

_SIZE: Final = struct.Struct("<I")
MOST_CURVES: Final = 64


async def answer_curves(request: Request) -> Response:
    """`/api/runs/{run}/curves?keys=steps:reward,updates:train/loss&x=timestep&n=500,320`."""
    keys = names(request, "keys", MOST_CURVES)
    x, n = axis_of(request), wholes(request, "n", 500, 2, MAX_POINTS, len(keys))
    start, end = number(request, "start"), number(request, "end")
    body = await with_view(request, frame, keys, x, start, end, n)
    return Response(body, media_type="application/octet-stream", headers=NO_STORE)


def axis_of(request: Request) -> X:
    """The axis that was asked for.

    Raises:
        DashboardError: There is no such axis.
    """
    x = request.query_params.get("x", "timestep")
    if x not in get_args(X):
        raise DashboardError(f"there is no axis {x[:40]!r}; there are: {', '.join(get_args(X))}")
    return cast(X, x)


def curve(
    view: RunView, key: str, x: X, start: float | None, end: float | None, buckets: int
) -> Curve | None:
    """The curve of a key `stream:field`, `stream:field#index` or `stream:field@env`; None: no such."""
    stream, _, name = key.partition(":")
    name, _, env = name.partition("@")
    name, _, index = name.partition("#")
    counted = _counted(view, stream, x)
    if counted is not None:
        # A record says its timestep; how many updates or episodes there were by then is counted.
        numbers = np.arange(1.0, len(counted) + 1)
        low, high = (
            None if at is None else float(np.interp(at, numbers, counted)) for at in (start, end)
        )
        found = curve(view, key, "timestep", low, high, buckets)
        if found is None:
            return None
        return replace(
            found,
            x=np.interp(found.x, counted, numbers),
            x_end=np.interp(found.x_end, counted, numbers),
        )
    try:
        found = view.curve(
            stream,
            name,
            env=int(env) if env else None,
            index=int(index) if index else 0,
            x=x,
            start=start,
            end=end,
            buckets=buckets,
        )
        return together(found)
    except (QueryError, ValueError):
        return None  # this run has none: another that is compared with it may


def asked(keys: Sequence[str]) -> dict[str, list[str]]:
    """The fields of each stream that keys name."""
    found: dict[str, list[str]] = {}
    for key in keys:
        stream, _, name = key.partition(":")
        found.setdefault(stream, []).append(name.partition("@")[0].partition("#")[0])
    return found


def _counted(view: RunView, stream: str, x: X) -> npt.NDArray[np.float64] | None:
    """Timesteps of what an axis counts, for records that do not say their number on it."""
    if x not in {"update", "episode"} or x + "s" == stream or stream not in {"updates", "episodes"}:
        return None
    records = view.records(x + "s")
    return records["timestep"] if "timestep" in records and len(records) else None


def frame(
    view: RunView,
    keys: Sequence[str],
    x: X,
    start: float | None,
    end: float | None,
    buckets: Sequence[int],
) -> bytes:
    """The curves of these keys, each in so many buckets, as bytes.

    All are as of one moment, which `at` tells: what comes later is appended, and nothing is missed.
    """
    for stream, fields in asked(keys).items():
        view.follow(stream, *fields)
        view.extent(stream, x)  # follows what tells the places
    header: list[dict[str, Any]] = []
    parts: list[bytes] = []
    places: list[npt.NDArray[np.float32]] = []
    for key, count in zip(keys, buckets, strict=True):
        found = curve(view, key, x, start, end, count)
        if found is None:
            header.append({"key": key, "n": 0})
            places.append(np.empty(0, np.float32))
            continue
        told, own, arrays = _told(found)
        same = next(
            (
                i
                for i, other in enumerate(places)
                if len(other) == len(own)
                and header[i].get("from") == told["from"]
                and np.array_equal(other, own)
            ),
            None,
        )
        header.append({"key": key, **told} | ({} if same is None else {"same": same}))
        places.append(own)
        parts += [array.tobytes() for array in ([own] if same is None else []) + arrays]
    told_at = write_position(position(view))
    head = orjson.dumps({"at": told_at, "curves": header}, option=orjson.OPT_SERIALIZE_NUMPY)
    head += b" " * (-(len(head) + _SIZE.size) % 4)
    return b"".join([_SIZE.pack(len(head)), head, *parts])


def _told(
    found: Curve,
) -> tuple[dict[str, Any], npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]:
    buckets = found.buckets
    origin = float(found.x[0]) if len(found) else 0.0
    # A bucket is drawn where its last row is: there all of it has happened. (`x_end` is the place of
    # the row after.)
    last = found.x_end - (found.x_end - found.x) / np.maximum(buckets.ends - buckets.rows, 1)
    own = (last - origin).astype(np.float32)
    least, most, mean = (
        np.asarray(part, np.float32) for part in (buckets.min, buckets.max, buckets.mean)
    )
    line = np.array_equal(least, most, equal_nan=True)
    told = {
        "n": len(found),
        "from": origin,
        "unit": found.unit,
        "line": line,
        "bad": np.flatnonzero(buckets.nan + buckets.inf).tolist(),
        "breaks": (np.flatnonzero(np.diff(found.attempt)) + 1).tolist(),
    }
    return told, own, [mean] if line else [least, most, mean]


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/curves", answer_curves)]
