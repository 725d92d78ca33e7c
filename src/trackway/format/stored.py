"""What stands in the place of a file that was let go here because a store has its rows.

    000000-000003.stored     segments 0 to 3; JSON

`docs/reference/archive-format.md` is the specification.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import orjson

from trackway.errors import FormatError

FORMAT: Final = "trackway-stored"
VERSION: Final = 1


@dataclass(frozen=True)
class StoredRows:
    """Rows that lie in a store and not here.

    Attributes:
        store: Its address, without credentials.
        run: What the run is called there.
        files: What has them there: paths below the run's folder.
        first_row, next_row: The rows, as the file had them.
        size_bytes: What the file took here.
    """

    store: str
    run: str
    files: tuple[str, ...]
    first_row: int
    next_row: int
    size_bytes: int

    def encode(self) -> bytes:
        return orjson.dumps({"format": FORMAT, "version": VERSION, **asdict(self)})

    @classmethod
    def decode(cls, data: bytes) -> StoredRows:
        """Read back what `encode` gave.

        Raises:
            FormatError: It is something else, damaged, or of a later Trackway.
        """
        try:
            told = orjson.loads(data)
            if told.pop("format") != FORMAT:
                raise FormatError("this is no note of rows that lie in a store")
            if (version := int(told.pop("version"))) > VERSION:
                raise FormatError(f"this note has version {version}: update Trackway to read it")
            return cls(**{**told, "files": tuple(told["files"])})
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise FormatError(f"a note of rows that lie in a store is damaged: {error}") from error
