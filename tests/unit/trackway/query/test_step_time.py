from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trackway
from trackway.query.step_time import step_s
from trackway.storage.places import find_stream, scenes_folder

DIGEST = "0f" * 32


@pytest.fixture
def look(tmp_path: Path) -> Any:
    """Asks a run whose steps tell no time, and whose scene is of this name."""
    with trackway.Recorder(tmp_path) as recorder:
        stream = recorder.stream("steps", trackway.Schema(trackway.Field("height")), 1)
        stream.write({"height": [0.3]})
    steps = find_stream(tmp_path, "steps")
    scenes_folder(tmp_path).mkdir(parents=True)
    np.savez(scenes_folder(tmp_path) / f"{DIGEST}.npz", **{"opt.timestep": np.float64(0.004)})

    def asked(physics: object) -> float | None:
        span: Any = SimpleNamespace(stream=lambda name: steps)
        event = {"event": "scene", "substeps": 5, "physics": physics}
        view: Any = SimpleNamespace(line_records=lambda stream: [(span, [event])])
        return step_s(view, span, tmp_path)

    return asked


def test_the_scene_tells_how_long_a_step_is(look: Any) -> None:
    assert look(DIGEST) == pytest.approx(0.02)


def test_a_scene_that_is_damaged_or_none_tells_nothing(look: Any, tmp_path: Path) -> None:
    scene = scenes_folder(tmp_path) / f"{DIGEST}.npz"
    whole = scene.read_bytes()
    scene.with_name("other.npz").write_bytes(whole)
    for damage in (whole[:-30], whole[:40], b"", whole.replace(b"NUMPY", b"MUMPY")):
        scene.write_bytes(damage)

        assert look(DIGEST) is None
    assert [look(name) for name in ("../scenes/other", "other", None, 7)] == [None] * 4
