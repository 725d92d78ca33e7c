"""Peers that are not there are installed for the time of a measurement, into a folder of their own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark's command line its options about peers."""
    parser.add_argument("--no-peers", action="store_true", help="only what is installed already")
    parser.add_argument("--peers", type=Path, help="a folder into which they were installed")


def install(args: argparse.Namespace, folder: Path, packages: Iterable[str]) -> None:
    """Make packages importable, behind our own; each by itself: one that fails leaves the others."""
    folder = args.peers or folder
    if not args.no_peers and args.peers is None:
        for package in sorted(packages):
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), package],
                check=False,
            )
    sys.path.append(str(folder))
