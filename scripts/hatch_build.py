"""Builds the dashboard's page before it is packed into a wheel or an sdist."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("src/trackway/dashboard/static")
PLAYER = Path("src/trackway/replay/static")


class BuildPage(BuildHookInterface):  # type: ignore[type-arg]
    """An editable install builds nothing: `scripts/setup` does, as often as the page changes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        script = root / "scripts" / "build-web"
        if version == "editable":
            return
        if script.exists() and not (root / "PKG-INFO").exists():  # an sdist holds the built page
            subprocess.run([script], cwd=root, check=True)
        if not (root / STATIC / "index.html").exists():
            self.app.display_warning("packed without the dashboard's page: there was no npm")
        build_data["artifacts"] += [f"/{STATIC}/**", f"/{PLAYER}/**"]
