"""Every exception of Trackway, one tree.

TrackwayError
├── RunError                  a run's folder or manifest cannot be used as asked
├── CheckpointError           a file cannot be used as a checkpoint
│   ├── NotACheckpointError       it is no Stable-Baselines3 model
│   ├── DamagedCheckpointError    it was one; its content does not match its checksums
│   └── MismatchError             it is whole, but does not fit this environment or algorithm
├── RecordingError            records could not be kept
│   └── AttemptInUseError         another process records into this attempt
├── SchemaError               fields that no stream can have
├── FormatError               bytes are not what they should be
├── RetentionError            what a policy or a pin says cannot be
├── BackupError               a copy is not what it should be
├── ProbeError                a probe cannot be loaded or made
├── StreamError               a stream cannot be read as asked
├── EpisodeError              there is no such episode
├── SceneError                the model that recorded states move is missing or does not fit
│   └── RepeatError               an episode cannot be simulated again
├── QueryError                a question about runs that has no answer
├── MissingExtraError         a part of Trackway that is not installed
├── DashboardError            the dashboard cannot be started, or asked this
│   └── UnknownRunError           there is no such run
├── StoreError                an object store cannot be used as asked
│   ├── UnreachableError          not now: the network, the server, the credentials' hour
│   └── UnsuitableStoreError      never: it does not keep a condition that sync stands on
├── SyncError                 a run cannot be shipped or fetched
│   └── FencedError               another machine has taken the run over
└── RenderError               a video could not be drawn

Each is raised with the facts; its class writes the sentence, which says what to do.
"""

from __future__ import annotations

from pathlib import Path


class TrackwayError(Exception):
    """Root of the tree: `except TrackwayError` catches whatever Trackway raises on purpose."""


class RunError(TrackwayError):
    """A run's folder or manifest cannot be used as asked."""


class CheckpointError(TrackwayError):
    """A file cannot be used as a checkpoint."""


class NotACheckpointError(CheckpointError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a Stable-Baselines3 model: {reason}")


class DamagedCheckpointError(CheckpointError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged ({reason}); use the checkpoint before it")


class MismatchError(CheckpointError):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} does not fit: {what}")


class RecordingError(TrackwayError):
    """Records could not be kept; the message says how many and why."""


class AttemptInUseError(RecordingError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another process records into {path}: let it end, or start an attempt of your own"
        )


class SchemaError(TrackwayError):
    """Fields that no stream can have; the message names the field and what would do."""


class FormatError(TrackwayError):
    """Bytes are not what they should be: another format, a later version, damage."""


class StreamError(TrackwayError):
    """A stream cannot be read as asked; the message says which there are."""


class QueryError(TrackwayError):
    """A question about runs that has no answer; the message says what could be asked."""


class MissingExtraError(TrackwayError):
    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs more than is installed: pip install 'trackway[{extra}]'")


class RetentionError(TrackwayError):
    """What a policy or a pin says cannot be followed; nothing was let go."""


class BackupError(TrackwayError):
    """A backup is not what it should be; the message names the file."""


class ProbeError(TrackwayError):
    """A probe or its environment cannot be loaded; the message says what was looked for."""


class DashboardError(TrackwayError):
    """The dashboard cannot be started, or a question to it makes no sense; says what would."""


class UnknownRunError(DashboardError):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is no run {name[:120]!r}")


class EpisodeError(TrackwayError):
    """There is no such episode.

    Attributes:
        code: `unknown`, or `steps`: it was recorded, and its steps are not here.
    """

    def __init__(self, wanted: str, known: str, code: str = "unknown") -> None:
        super().__init__(f"there is no episode {wanted}: {known}")
        self.code = code


class SceneError(TrackwayError):
    """The model that recorded states move cannot be used; the message says what is left."""


class RepeatError(SceneError):
    """An episode cannot be simulated again.

    Attributes:
        code: Why, in a word: `model`, `start`, `rows` (what the record lacks), `busy`, `failed`.
    """

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code = code


class RenderError(TrackwayError):
    """A video could not be drawn; the message says what is missing."""


class StoreError(TrackwayError):
    """An object store cannot be used as asked: its address, its bucket, the rights to it."""


class UnreachableError(StoreError):
    """A request failed in a way that a later try may not: it is tried again."""


class UnsuitableStoreError(StoreError):
    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"{url} {what}; two machines could overwrite each other there, so it is refused. Use a "
            "store that creates an object only if there is none: a folder, S3, GCS, Azure Blob"
        )


class SyncError(TrackwayError):
    """A run cannot be shipped or fetched; the message says what stands in the way."""


class FencedError(SyncError):
    """Another writer has taken the run over: what this one records on is a branch of its own."""
