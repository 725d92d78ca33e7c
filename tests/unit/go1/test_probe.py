import numpy as np

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway.probes.probe import empty_row

N = 6


def test_terms_make_up_the_reward():
    envs = Go1VecEnv(N, seed=0)
    envs.reset()
    envs.step(np.full((N, 12), 0.2, np.float32))
    probe = envs.recorder_probe()
    row = empty_row(probe.schema, N)
    probe.read(row)

    rewards = [name for name in row if name.startswith("reward_component.")]
    costs = [name for name in row if name.startswith("cost_component.")]
    total = sum(row[n] for n in rewards) - sum(row[n] for n in costs)
    np.testing.assert_allclose(total, envs.core.reward, rtol=1e-5, atol=1e-6)


def test_what_a_fallen_robot_ended_with_is_seen_before_it_starts_again():
    envs = Go1VecEnv(N, seed=0)
    envs.reset()
    probe = envs.recorder_probe()
    row = empty_row(probe.schema, N)
    envs.before_restart = lambda: probe.read(row)
    envs.qpos[2, 3:7] = (0.0, 1.0, 0.0, 0.0)  # on its back
    _, _, dones, infos = envs.step(np.zeros((N, 12), np.float32))

    assert dones.tolist() == [False, False, True, False, False, False]
    position = infos[2]["detailed_info"]["robot_state"]["position"]
    assert row["qpos"][2, :3].tolist() == [position[axis] for axis in "xyz"]
    assert (row["qpos"][2] != envs.qpos[2]).any()
    assert (row["qpos"][:2] == envs.qpos[:2]).all()


def test_a_start_tells_the_physics_that_were_drawn():
    envs = Go1VecEnv(N, Go1Config(rand_power=1.0, friction_range=(0.3, 1.2)), seed=0)
    envs.reset()
    told = [envs.recorder_probe().start(i) for i in range(N)]

    assert told[1]["qpos"] == envs.qpos[1].tolist()
    assert len({tuple(start["overrides"]["body_mass"]["value"]) for start in told}) == N
    assert len(told[0]["overrides"]["geom_friction"]["index"]) == 4
    assert Go1VecEnv(1, seed=0).recorder_probe().start(0)["overrides"] == {}
