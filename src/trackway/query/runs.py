"""`trackway.open`: runs, and their streams as tables.

    runs = trackway.open("models")
    run = runs["my_experiment"]                 # or runs.latest; for run in runs: …
    run.steps.filter(pl.col("env") == 3).select("timestep", "reward").collect()
    runs.episodes.group_by("run").agg(pl.col("return").mean()).collect()

Tables are Polars LazyFrames: nothing is read before `collect`, and then only the columns that are
needed. `run.arrow("steps")` gives an Arrow table. What training has committed so far is in them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import StreamError, TrackwayError
from trackway.query.catalog import Catalog
from trackway.query.checkpoint_frames import checkpoint_frame, frame_of_checkpoints
from trackway.query.extras import need
from trackway.query.facts import NAMES, RunFacts, facts_of
from trackway.query.line import Span, line
from trackway.query.record_frames import COLUMNS, promised, records_of
from trackway.query.remote import brought_here
from trackway.query.step_frames import step_frame
from trackway.run import RunFolder
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import attempts

_log = logging.getLogger(__name__)

TABLES: Final = ("episodes", "steps", "updates", "events", "system", "starts", "checkpoints")


class Tables:
    """Streams as LazyFrames."""

    def table(self, name: str) -> Any:
        """A stream by its name."""
        raise NotImplementedError

    @property
    def steps(self) -> Any:
        """A line per step of each environment: `attempt`, `row`, `env`, `timestep`, the fields."""
        return self.table("steps")

    @property
    def episodes(self) -> Any:
        """A line per episode that ended."""
        return self.table("episodes")

    @property
    def updates(self) -> Any:
        """A line per update of the policy."""
        return self.table("updates")

    @property
    def events(self) -> Any:
        """A line per event."""
        return self.table("events")

    @property
    def starts(self) -> Any:
        """A line per episode that began."""
        return self.table("starts")

    @property
    def system(self) -> Any:
        """A line per look at the machine."""
        return self.table("system")

    @property
    def checkpoints(self) -> Any:
        """A line per checkpoint, and the best and the final model."""
        return self.table("checkpoints")

    def arrow(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A stream as a `pyarrow.Table`, or some columns of it."""
        frame = self.table(name)
        return (frame if columns is None else frame.select(columns)).collect().to_arrow()


class Run(Tables):
    """One run: its attempts joined into one line.

    Attributes:
        path: Its folder.
        facts: What is known at a glance.
    """

    def __init__(
        self, facts: RunFacts, *, abandoned: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.facts, self.path = facts, Path(facts.path)
        self._abandoned, self._clock = abandoned, clock

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def abandoned(self) -> Run:
        """What is not on the line: what attempts recorded after the checkpoint a later one began from."""
        return Run(self.facts, abandoned=True, clock=self._clock)

    def table(self, name: str) -> Any:
        """A stream by its name: `steps`, `episodes`, …, or one of your own.

        Raises:
            StreamError: It cannot be read.
            MissingExtraError: Polars is not installed.
        """
        return self.frame(name).lazy()

    def frame(self, name: str) -> Any:
        """The same; records and checkpoints, which are read whole anyway, as a `polars.DataFrame`."""
        pl = need("polars", "reading streams as tables", "query")
        if name == "checkpoints":
            return checkpoint_frame(RunFolder(self.path))
        for attempt in attempts(self.path):
            finish_abandoned(attempt, self._clock)
        spans = line(self.path)
        records = name in COLUMNS
        frames = self._records(spans, name) if records else self._columns(spans, name)
        if not frames:
            return _nothing(name) if records else _nothing(name).lazy()
        return pl.concat(frames, how="diagonal_relaxed") if len(frames) > 1 else frames[0]

    def _columns(self, spans: list[Span], name: str) -> list[Any]:
        import polars as pl

        frames: list[Any] = []
        faults: list[StreamError] = []
        for span in spans:
            folder = span.stream(name)
            if folder is None or (self._abandoned and span.cut is None):
                continue
            try:
                frame = step_frame(folder, span.begin if name == "steps" else None)
            except StreamError as error:
                faults.append(error)
                continue
            frame = frame.select(pl.lit(span.attempt.name).alias("attempt"), pl.all())
            if name == "steps" and span.rows is not None:
                here = pl.col("row") < span.rows
                frame = frame.filter(~here if self._abandoned else here)
            elif "timestep" in frame.collect_schema() and span.cut is not None:
                here = pl.col("timestep") <= span.cut
                frame = frame.filter(~here if self._abandoned else here)
            frames.append(frame)
        if faults and not frames:
            raise faults[0]
        for fault in faults:
            _log.warning("left out: %s", fault)
        return frames

    def _records(self, spans: list[Span], name: str) -> list[Any]:
        import polars as pl

        frames: list[Any] = []
        told_before: dict[int, Any] = {}  # by rank
        for span in spans:
            frame = records_of(span.stream(name), name)
            if "timestep" not in frame.columns:
                frame = frame.with_columns(timestep=pl.lit(None, pl.Int64))
            if span.cut is not None:
                here = (pl.col("timestep") <= span.cut).fill_null(True)
                frame = frame.filter(~here if self._abandoned else here)
            elif self._abandoned:
                continue
            if name == "updates" and span.rank in told_before and not self._abandoned:
                # An update that led to the checkpoint is told before it and again after the resume.
                seam = pl.col("timestep") == span.begin
                if told_before[span.rank].filter(seam).height:
                    frame = frame.filter(~seam)
            told_before[span.rank] = frame
            frames.append(frame.select(pl.lit(span.attempt.name).alias("attempt"), pl.all()))
        return [_nothing(name), *frames]


class Runs(Tables):
    """The runs of a folder, oldest first; their tables have the column `run` before all others.

    Attributes:
        catalog: The index they are found by.
        skipped: Runs that a table could not be read from, and why.
    """

    def __init__(self, models: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.catalog, self._clock = Catalog(models, clock=clock), clock
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.catalog)

    def __iter__(self) -> Iterator[Run]:
        return (Run(facts, clock=self._clock) for facts in self.catalog.runs)

    def __getitem__(self, name: str) -> Run:
        return Run(self.catalog.run(name), clock=self._clock)

    @property
    def latest(self) -> Run:
        """The newest training."""
        return self["latest"]

    def refresh(self) -> bool:
        """Look for runs that came, went or changed; whether there was something."""
        return self.catalog.refresh()

    @property
    def facts(self) -> Any:
        """A line per run, as a `polars.DataFrame`."""
        return facts_frame(self.catalog.runs)

    def table(self, name: str) -> Any:
        """A stream of all runs, by its name. Runs that cannot be read are left out: see `skipped`.

        Raises:
            MissingExtraError: Polars is not installed.
        """
        pl = need("polars", "reading streams as tables", "query")
        frames = []
        for run in self:
            facts = run.facts
            # What has nothing of the kind: of ten thousand such runs, it would take seconds to say so.
            of_files = name == "checkpoints" and facts.checkpoints
            if facts.status == "damaged" or facts.live or facts.attempts or of_files:
                frame = self._of(run, lambda run: self._told(run, name))
                if frame is not None:
                    frames.append(frame.select(pl.lit(run.name).alias("run"), pl.all()))
        if not frames:
            frames = [_nothing(name).select(pl.lit("").alias("run"), pl.all()).clear()]
        return pl.concat(frames, how="diagonal_relaxed").lazy()

    def _told(self, run: Run, name: str) -> Any:
        if run.facts.status == "damaged" and not attempts(run.path):
            raise TrackwayError(run.facts.error or "it cannot be read")
        frame = run.frame(name)
        frame.collect_schema()
        return frame

    def _of(self, run: Run, read: Callable[[Run], Any]) -> Any:
        try:
            return read(run)
        # One damaged run never keeps the others from answering; it is named.
        except (TrackwayError, OSError, ValueError) as error:
            self.skipped[run.name] = str(error)
            _log.debug("%s is left out: %s", run.name, error)
            return None


def open(models: Path | str = "models", *, clock: Clock = SYSTEM_CLOCK) -> Runs:
    """The runs of a folder.

    Args:
        models: Where runs are kept: a folder, or a store that they are shipped into, such as
            `s3://bucket/prefix`; of that a copy is kept here, and brought up to date.
        clock: Gives times.

    Raises:
        RunError: There is no such folder.
        StoreError: The store cannot be used.
    """
    return Runs(brought_here(models), clock=clock)


def open_run(path: Path | str, *, clock: Clock = SYSTEM_CLOCK) -> Run:
    """One run, wherever it lies."""
    return Run(facts_of(RunFolder(Path(path)), clock), clock=clock)


def find(name: str, models: Path, *, clock: Clock = SYSTEM_CLOCK) -> Run:
    """The run that a person means: a folder, or a name as `Catalog.run` takes it.

    Raises:
        RunError: No run or more than one answers to it, or there is no such folder of runs.
    """
    folder = RunFolder(Path(name))
    if folder.manifest.is_file() or attempts(folder.path):
        return open_run(folder.path, clock=clock)
    return open(models, clock=clock)[name]


def _nothing(name: str) -> Any:
    """A table without a line, as a `polars.DataFrame`."""
    import polars as pl

    if name == "checkpoints":
        return frame_of_checkpoints([])
    return promised(name).select(pl.lit("").alias("attempt"), pl.all()).clear()


def facts_frame(runs: Sequence[RunFacts]) -> Any:
    """A line per run, as a `polars.DataFrame`; `config` is JSON."""
    pl = need("polars", "reading runs as tables", "query")
    names = {"name": "run", "config_text": "config"}
    kinds = {
        "created_unix": pl.Float64,
        "ended_unix": pl.Float64,
        **dict.fromkeys(("num_envs", "seed", "planned_timesteps", "timesteps"), pl.Int64),
        **dict.fromkeys(("attempts", "episodes", "updates", "checkpoints"), pl.Int64),
        **dict.fromkeys(("return_mean", "return_best", "length_mean", "success_rate"), pl.Float64),
        "sparkline": pl.List(pl.Float64),
        "tags": pl.List(pl.String),
    }
    made = {
        names.get(name, name): pl.Series(
            [getattr(run, name) for run in runs], dtype=kinds.get(name, pl.String), strict=False
        )
        for name in NAMES
    }
    frame = pl.DataFrame(made)
    return frame.with_columns(duration_s=pl.col("ended_unix") - pl.col("created_unix"))
