"""Things taken apart and put together again, by way of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.rebuild import Rebuild


@dataclass
class Ball:
    height: float = 1.0
    parts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls) -> Ball:
        return cls(3.0)


def there_and_back(thing: Any, fresh: Any) -> Any:
    taker = Capture()
    taker.add("it", thing)
    graph = taker.finish()
    assert graph.unsupported == []
    rebuild = Rebuild(json.loads(json.dumps(graph.document())), graph.arrays)
    made = rebuild.root("it", fresh)
    rebuild.write()
    return made
