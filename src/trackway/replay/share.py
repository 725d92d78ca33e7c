"""One episode in one HTML file that opens offline and plays: player, scene, motion, columns."""

from __future__ import annotations

import base64
import gzip
import html
from pathlib import Path
from typing import Final

from trackway.errors import RenderError
from trackway.replay.library import Library
from trackway.replay.web_episode import curve_names, web_columns, web_episode

BUILT: Final = Path(__file__).with_name("static")
# Nothing is fetched: whoever opens the file tells nobody.
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
<body>
{parts}
<script>{script}</script>
</body>
</html>
"""


def share_page(library: Library, wanted: str, built: Path = BUILT) -> bytes:
    """The page of an episode.

    Args:
        library: Of the run.
        wanted: Which episode, as `EpisodeIndex.find` understands it.
        built: Where the player lies.

    Raises:
        EpisodeError: There is no such episode.
        RenderError: The player has not been built.
    """
    script, style = (_built(built / name) for name in ("player.js", "player.css"))
    trajectory = library.trajectory(library.index.find(wanted))
    models = library.models(trajectory)
    parts = {
        "episode": web_episode(trajectory, models),
        "columns": web_columns(trajectory, curve_names(trajectory)),
    }
    if models.drawn is not None:
        physics = None if models.physics is None else models.physics.digest
        parts["scene"] = library.web_scene(models.drawn.digest, physics)
    page = _PAGE.format(
        policy=_POLICY,
        title=html.escape(f"{library.run.name} · {trajectory.episode.key}"),
        style=style.replace("</style", "<\\/style"),
        script=script.replace("</script", "<\\/script"),
        parts="\n".join(
            f'<script type="text/plain" id="{name}">{_letters(data)}</script>'
            for name, data in parts.items()
        ),
    )
    return page.encode()


def _letters(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _built(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise RenderError(
            f"the player has not been built ({path} is missing): run scripts/build-web in a "
            "checkout of Trackway, or install a released wheel"
        ) from None
