"""Looks at every living run now and then, and says once what wants looking at.

In the page, in the log, and by a command or a webhook that the user named when the server was
started; nothing that comes over the network can name one.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import subprocess
import urllib.request
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.clock import SYSTEM_CLOCK
from trackway.dashboard.alerts import alerts
from trackway.dashboard.answers import Answer
from trackway.dashboard.messages import Alert
from trackway.dashboard.runs import Runs
from trackway.dashboard.views import Views
from trackway.errors import DashboardError, TrackwayError

_log = logging.getLogger("trackway")

_LOOK_S: Final = 5.0
_ACT_S: Final = 10.0
Onset = tuple[str, str]


@dataclass(frozen=True)
class Notify:
    """Whom to tell.

    Attributes:
        command: Run for each alert, with the alert as JSON on its standard input.
        webhook: An address that each alert is posted to, as JSON.
    """

    command: tuple[str, ...] = ()
    webhook: str | None = None

    def __post_init__(self) -> None:
        if self.webhook is not None and not self.webhook.startswith(("https://", "http://")):
            raise DashboardError(
                f"{self.webhook} is no address of a webhook: it begins with https://"
            )

    @classmethod
    def of(cls, command: str | None, webhook: str | None) -> Notify:
        """From what a person typed.

        Raises:
            DashboardError: The command has a quotation mark that does not end.
        """
        try:
            return cls(tuple(shlex.split(command or "")), webhook)
        except ValueError as error:
            raise DashboardError(f"the alert command cannot be read: {error}") from error


class Watch:
    """The alerts of all runs, as of the last look."""

    def __init__(self, runs: Runs, views: Views, notify: Notify) -> None:
        self._runs, self._views, self._notify = runs, views, notify
        self._told: dict[Onset, float] = {}  # since when it was so
        self._standing: dict[str, Set[str]] = {}
        self._begun_unix = SYSTEM_CLOCK.unix_s()
        self.found: dict[str, list[Alert]] = {}

    async def run(self) -> None:
        """Look again and again."""
        while True:
            new = await asyncio.to_thread(self.look)
            for alert in new:
                await asyncio.to_thread(self.tell, alert)
            await asyncio.sleep(_LOOK_S)

    def look(self) -> list[Alert]:
        """Look at every living run, and at those that lived at the last look; what is new."""
        new: list[Alert] = []
        try:
            known = self._runs.all()
        except TrackwayError as error:
            _log.warning("the runs cannot be looked at: %s", error)
            return new
        for facts in known:
            if not (facts.live or facts.name in self.found):
                continue
            try:
                with self._views.use(facts.name) as view:
                    self.found[facts.name] = alerts(view, facts, SYSTEM_CLOCK.unix_s())
            except (TrackwayError, OSError) as error:
                _log.debug("%s cannot be looked at: %s", facts.name, error)
                continue
            standing = self._standing.get(facts.name, frozenset())
            for alert in self.found[facts.name]:
                onset, since = (alert["run"], alert["kind"]), alert["since_unix"]
                # What comes and goes about one moment is told once; what befell a run before this
                # server began was told by the one before.
                old = alert["kind"] in standing or self._told.get(onset) == since
                if not old and since >= self._begun_unix - 60:
                    new.append(alert)
                self._told[onset] = since
            self._standing[facts.name] = {alert["kind"] for alert in self.found[facts.name]}
        return new

    def tell(self, alert: Alert) -> None:
        """Say it in the log, and to whom the user named; what fails is logged, and not tried again."""
        body = orjson.dumps(alert, option=orjson.OPT_SERIALIZE_NUMPY)
        _log.warning("alert: %s of %s: %s", alert["kind"], alert["run"], body.decode())
        if self._notify.command:
            try:
                subprocess.run(
                    self._notify.command, input=body, timeout=_ACT_S, check=True,
                    stdout=subprocess.DEVNULL,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                _log.warning("the alert command failed: %s", error)
        if self._notify.webhook is not None:
            request = urllib.request.Request(
                self._notify.webhook, body, {"content-type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=_ACT_S):
                    pass
            except (OSError, ValueError) as error:
                _log.warning("the webhook cannot be reached: %s", error)


async def answer_alerts(request: Request) -> Response:
    """`/api/runs/{run}/alerts`: a list of `Alert`."""
    runs: Runs = request.app.state.runs
    views: Views = request.app.state.views
    name = request.path_params["run"]

    def work() -> list[Alert]:
        facts = runs.facts(name)
        with views.use(name) as view:
            return alerts(view, facts, SYSTEM_CLOCK.unix_s())

    return Answer(await asyncio.to_thread(work))


async def answer_all_alerts(request: Request) -> Response:
    """`/api/alerts`: by run, those of all living runs."""
    watch: Watch = request.app.state.watch
    return Answer({name: found for name, found in watch.found.items() if found})


routes: Final[Sequence[BaseRoute]] = [
    Route("/alerts", answer_all_alerts),
    Route("/runs/{run}/alerts", answer_alerts),
]
