"""`trackway replay`, `render` and `share`: an episode on the screen, as a video, as one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trackway import files
from trackway.cli.arguments import command_of_run
from trackway.cli.recorded import find_recorded
from trackway.errors import RenderError
from trackway.replay.library import Library

_EPISODE = (
    "a number, ENV:EPISODE, @TIMESTEP (or @TIMESTEP:ENV), latest, worst, median or best (latest)"
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about episodes."""
    show = _command(
        commands, "replay", "play an episode in MuJoCo's viewer, where there is a screen"
    )
    show.add_argument("--speed", type=float, default=1.0, help="times true speed (1)")
    show.set_defaults(act=watch_episode)

    render = _command(
        commands, "render", "draw an episode: a video at true speed, a GIF, a picture"
    )
    _output(render, "mp4, gif or png by its name (EPISODE.mp4)")
    render.add_argument("--time", type=float, metavar="S", help="instant of a picture (the end)")
    render.add_argument("--fps", type=float, default=50.0, help="frames a second at most (50)")
    render.add_argument("--size", default="640x480", metavar="WxH", help="pixels (640x480)")
    render.add_argument("--camera", help="a camera of the model (one that follows the robot)")
    render.set_defaults(act=render_episode)

    share = _command(commands, "share", "put an episode into one HTML file that plays offline")
    _output(share, "where it goes (EPISODE.html)")
    share.set_defaults(act=share_episode)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, says: str
) -> argparse.ArgumentParser:
    command = command_of_run(commands, name, says)
    command.add_argument("--episode", default="latest", metavar="N", help=_EPISODE)
    return command


def _output(command: argparse.ArgumentParser, says: str) -> None:
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help=says)


def _library(args: argparse.Namespace) -> Library:
    return Library(find_recorded(args.models, args.run))


def _path(args: argparse.Namespace, library: Library, ending: str) -> Path:
    if args.output is not None:
        return Path(args.output)
    key = library.index.find(args.episode).key.replace(":", "-")
    return Path(f"{library.run.name}-{key}.{ending}")


def watch_episode(args: argparse.Namespace) -> None:
    """Open MuJoCo's viewer."""
    from trackway.replay.film import posed
    from trackway.replay.watch import check_screen, watch

    if args.speed <= 0:
        raise RenderError(f"--speed {args.speed:g} is not greater than 0")
    check_screen()
    watch(*posed(_library(args), args.episode), speed=args.speed)


def render_episode(args: argparse.Namespace) -> None:
    """Draw an episode and say where it went."""
    from trackway.replay.film import film_episode

    width, _, height = args.size.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 0 and int(height) > 0):
        raise RenderError(f"--size {args.size!r} is no size: give one such as 640x480")
    library = _library(args)
    path = _path(args, library, "mp4")
    job = film_episode(
        library,
        args.episode,
        path,
        at_s=args.time,
        fps=args.fps,
        width=int(width),
        height=int(height),
        camera=args.camera,
    )
    job.wait()
    sys.stdout.write(f"{path}\n")


def share_episode(args: argparse.Namespace) -> None:
    """Write the page and say where it went."""
    from trackway.replay.share import share_page

    library = _library(args)
    path = _path(args, library, "html")
    files.publish(path, share_page(library, args.episode))
    sys.stdout.write(f"{path}\n")
