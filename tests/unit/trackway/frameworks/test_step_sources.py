from types import SimpleNamespace

import gymnasium
import numpy as np

from trackway.frameworks.step_sources import Outside, VecStep
from trackway.probes.probe import empty_row

NUM_ENVS, CAPACITY = 3, 4


def test_a_row_that_is_used_again_does_not_keep_the_end_of_an_older_episode():
    space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    source = Outside(space, space, None)
    ring = {
        name: np.zeros((CAPACITY, *column.shape), column.dtype)
        for name, column in empty_row(source.fields, NUM_ENVS).items()
    }
    steps = SimpleNamespace(columns=ring, at=0)
    luck = np.random.default_rng(0)
    for number in range(10 * CAPACITY):
        steps.at = number % CAPACITY
        terminated, truncated = luck.random((2, NUM_ENVS)) < 0.1
        batch = luck.normal(size=(NUM_ENVS, 2)).astype(np.float32)
        ended = np.flatnonzero(terminated | truncated).tolist()
        source.write(
            steps, VecStep(batch, batch, batch[:, 0], terminated, truncated, [{}] * 3, ended)
        )

        assert (ring["terminated"][steps.at] == terminated).all()
        assert (ring["truncated"][steps.at] == truncated).all()
        assert (ring["reward"][steps.at] == batch[:, 0]).all()
