"""Each part of the captured state is needed: without it, a resumed training comes out otherwise."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.resumed_training import main

from trackway.frameworks.sb3 import exact

PPO, SAC = "PPO, gSDE, EvalCallback", "SAC, gSDE, VecNormalize, noise"
RECURRENT = "RecurrentPPO, CartPole-v1"
NEEDED = {
    PPO: [
        "venv", "exploration", "loop.iteration", "rng.torch",
        "model._last_obs", "model.ep_info_buffer",
        "model._n_updates", "model.num_timesteps",
        "callback stable_baselines3.common.callbacks:EvalCallback 0",
    ],
    RECURRENT: ["model._last_episode_starts", "model._last_lstm_states"],
    SAC: [
        "venv", "replay", "rng.numpy", "rng.torch",
        "model._last_obs", "model._last_original_obs", "model._episode_num", "model._n_updates",
        "model.ep_info_buffer", "model.num_timesteps",
    ],
}  # fmt: skip


class Without(exact.Rebuild):
    """Puts everything back but one part."""

    part = ""

    @property
    def roots(self) -> frozenset[str]:
        return super().roots - {self.part}

    def root(self, name: str, *fresh: Any) -> Any:
        made = super().root(name, *fresh)
        if name == self.part == "exploration":
            return fresh[0]
        owner, _, key = self.part.partition(".")
        if name == owner and key:
            if name == "model":
                made.pop(key)
            else:
                made[key] = None if name == "loop" else exact.capture_rng()[key]
        return made


@pytest.fixture(scope="module", params=NEEDED if os.environ.get("TRACKWAY_SOAK") else [RECURRENT])
def whole(request: Any, tmp_path_factory: Any) -> tuple[str, Path, Any]:
    case, folder = request.param, tmp_path_factory.mktemp("whole")
    main(case, "both", folder / "both.json", folder / "checkpoint.zip")
    return case, folder, json.loads((folder / "both.json").read_text())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_without_any_one_part_the_training_comes_out_otherwise(
    whole: tuple[str, Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, folder, expected = whole

    def resumed(part: str) -> Any:
        monkeypatch.setattr(Without, "part", part)
        out = folder / "out.json"
        try:
            main(case, "resume", out, folder / "checkpoint.zip")
        except Exception as error:  # noqa: BLE001 - it was noticed
            return repr(error)
        return json.loads(out.read_text())

    monkeypatch.setattr(exact, "Rebuild", Without)
    assert resumed("") == expected
    unnoticed = [part for part in NEEDED[case] if resumed(part) == expected]
    assert unnoticed == []
