import copy

import numpy as np
import pytest

from go1.config import Go1Config
from go1.core import Go1Core
from go1.observation import SIZE

N = 6


def _actions(steps, n=N, seed=5):
    return np.random.default_rng(seed).normal(0, 0.5, (steps, n, 12))


def _run(core, actions, seed=3):
    """Every observation, reward and flag of a run, as bytes."""
    trace = [core.reset(seed).tobytes()]
    for action in actions:
        obs, reward, terminated, truncated = core.step(action)
        trace += [obs.tobytes(), reward.tobytes(), terminated.tobytes(), truncated.tobytes()]
    return trace


SHAKEN = Go1Config(rand_power=1.0, action_noise=0.1, max_episode_time_sec=0.5)


def test_a_seed_determines_every_bit_whatever_the_number_of_threads():
    actions = _actions(60)
    one, two, four = (_run(Go1Core(N, SHAKEN, num_threads=t), actions) for t in (1, 2, 4))

    assert one == two == four


def test_resetting_with_the_seed_repeats_a_run_on_the_same_object():
    core, actions = Go1Core(N, SHAKEN), _actions(40)

    assert _run(core, actions) == _run(core, actions)


def test_another_seed_gives_another_run():
    actions = _actions(3)

    assert _run(Go1Core(N), actions, seed=1) != _run(Go1Core(N), actions, seed=2)


@pytest.mark.parametrize(
    "config",
    [
        Go1Config(),
        Go1Config(ctrl_type="torque"),
        Go1Config(biped=True),
        Go1Config(biped=True, ctrl_type="torque"),
        Go1Config(physics="fast", frame_skip=2),
    ],
    ids=["position", "torque", "biped", "biped torque", "fast"],
)
def test_sums_over_an_episode_add_up_to_its_return(config):
    core = Go1Core(N, config)
    core.reset(0)
    total = np.zeros(N)
    for action in _actions(12):
        core.advance(action)
        total += core.reward
        if len(core.finished):
            break

    assert core.obs.shape == (N, SIZE)
    assert np.isfinite(core.obs).all()
    np.testing.assert_allclose(core.episode_return, total)
    np.testing.assert_allclose(
        core.episode_rewards.sum(axis=1) - core.episode_costs.sum(axis=1), total
    )
    assert core.reward_sums(0).keys() == core.terms.reward_weights.keys()
    assert (core.episode_costs >= 0).all()


def test_a_fallen_robot_alone_starts_again_and_says_why():
    core = Go1Core(N)
    core.reset(0)
    core.qpos[2, 3:7] = 0, 1, 0, 0  # on its back
    core.advance(np.zeros((N, 12)))

    assert core.finished.tolist() == [2]
    assert core.termination_reason(2) == "fell"
    assert core.termination_reason(1) is None
    assert core.is_flipped_over[2]
    assert core.time_flipped_over[2] == pytest.approx(core.dt)

    core.restart_finished()

    assert core.episode_length.tolist() == [1, 1, 0, 1, 1, 1]
    assert core.episode_count.tolist() == [0, 0, 1, 0, 0, 0]
    assert core.motion.up[2, 2] > 0.95
    assert core.obs[2, 8] > 0.95


def test_an_episode_ends_when_its_time_is_up():
    core = Go1Core(2, Go1Config(max_episode_time_sec=0.2, staggered_starts=False))
    core.reset(0)
    for _ in range(10):
        assert not core.truncated.any()
        core.advance(np.zeros((2, 12)))

    assert core.truncated.all()
    assert not core.terminated.any()
    assert core.termination_reason(0) == "time_limit"


def test_staggered_first_episodes_end_one_after_the_other_and_are_no_successes():
    core = Go1Core(4, Go1Config(max_episode_time_sec=0.8, command_forward=(0.0, 0.0)))
    core.reset(0)
    ends = {}
    for t in range(1, 61):
        core.step(np.zeros((4, 12)))
        ends |= {robot: t for robot in np.flatnonzero(core.truncated) if robot not in ends}

    assert ends == {0: 40, 1: 30, 2: 20, 3: 10}
    assert core.success_count[0] == core.episode_count[0] == 1
    assert core.episode_count[3] == 2
    assert core.success_count[3] == 1


def test_standing_still_succeeds_only_when_nothing_else_was_asked():
    for command, success in ((0.0, True), (0.5, False)):
        core = Go1Core(
            3,
            Go1Config(
                max_episode_time_sec=1.5,
                command_forward=(command, command),
                staggered_starts=False,
            ),
        )
        core.reset(0)
        for _ in range(core.max_steps):
            core.advance(np.zeros((3, 12)))

        assert core.truncated.all()
        assert (core.succeeded(core.finished) == success).all()


@pytest.mark.parametrize("harm", ["state", "speed", "action"])
def test_a_simulation_that_breaks_is_started_again_and_the_others_do_not_notice(
    harm, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a MUJOCO_LOG.TXT where it is
    actions = _actions(30)

    def run(broken):
        core = Go1Core(N, Go1Config(max_episode_time_sec=100))
        core.reset(1)
        reasons, traces = set(), []
        for t, action in enumerate(actions.copy()):
            if broken and t == 10:
                if harm == "state":
                    core.qpos[3, 2] = np.nan
                elif harm == "speed":
                    core.qvel[3, 6:] = 1e200
                else:
                    action[3, 0] = np.nan
            core.advance(action)
            reasons |= {core.termination_reason(3)}
            assert np.isfinite(core.obs).all()
            assert np.isfinite(core.reward).all()
            core.restart_finished()
            assert np.isfinite(core.obs).all()
            if len(traces) < 12:  # later restarts draw from the shared generator
                traces.append(np.delete(core.obs, 3, axis=0).tobytes())
        return reasons, traces

    whole, disturbed = run(broken=False), run(broken=True)

    assert "diverged" not in whole[0]
    assert "diverged" in disturbed[0]
    assert whole[1] == disturbed[1]


def test_a_biped_that_touches_the_floor_with_a_front_foot_does_not_succeed():
    config = Go1Config(biped=True, max_episode_time_sec=0.3, staggered_starts=False)
    core = Go1Core(2, config)
    core.reset(0)
    for _ in range(core.max_steps):
        core.advance(np.zeros((2, 12)))
        if core.step_count[0] == 2:
            core._front_foot_touched[1] = True

    assert core.up_z.min() > 0.8
    assert core.succeeded(np.arange(2)).tolist() == [True, False]


def test_power_of_randomisation_reaches_friction_mass_and_pushes():
    core = Go1Core(200, Go1Config(push_interval_sec=0.2))
    core.set_rand_power(1.0, np.arange(100))
    core.reset(0)
    friction = core._simulations.batch.expand("geom_friction")[:, core.model.geom("FR").id, 0]
    mass = core._simulations.batch.expand("body_mass")[:, core.model.body("trunk").id]
    before = core.qvel[:, :2].copy()
    core.randomization.push(core.qvel, core.rand_power, core.dt, core.rng)
    pushed = np.abs(core.qvel[:, :2] - before).max(axis=1)

    assert friction[:100].min() < 0.5
    assert friction[:100].max() > 1.1
    assert np.ptp(mass[:100]) > 1.5
    assert np.unique(friction[100:]).tolist() == [0.6]
    assert np.unique(mass[100:]).tolist() == [core.model.body_mass[1]]
    assert 0 < (pushed[:100] > 0).sum() < 30
    assert not pushed[100:].any()


def test_commands_cover_their_ranges():
    core = Go1Core(
        300,
        Go1Config(command_forward=(-1, 1), command_sideways=(-0.5, 0.5), command_yaw=(2, 2)),
    )
    core.reset(0)

    assert core.command.min(axis=0) == pytest.approx([-1, -0.5, 2], abs=0.05)
    assert core.command.max(axis=0) == pytest.approx([1, 0.5, 2], abs=0.05)


def test_noise_on_actions_is_what_the_robot_did_and_is_told_so():
    core = Go1Core(500)
    core.action_noise[250:] = 0.3
    core.reset(0)
    core.advance(np.zeros((500, 12)))

    assert not core.action[:250].any()
    assert core.action[250:].std() == pytest.approx(0.3, rel=0.1)
    np.testing.assert_allclose(core.obs[:, 33:45], core.action, rtol=1e-6)


def test_balance_history_holds_the_latest_values_and_nothing_from_before_the_start():
    core = Go1Core(1)
    core.reset(0)
    for _ in range(3):
        core.advance(np.zeros((1, 12)))

    assert np.isnan(core.balance_history[0, :7]).all()
    assert core.balance_history[0, -1] == core.motion.up[0, 2]


def _interrupted(state_of, config=SHAKEN):
    """A run whose second half another core makes of the state of the first; and the run whole."""
    actions = _actions(60)
    whole = _run(Go1Core(N, config), actions)
    core, other = Go1Core(N, config), Go1Core(N, config)
    begun = _run(core, actions[:30])
    other.reset(99)
    other.load_state_dict(copy.deepcopy(state_of(core)))
    for action in actions[30:]:
        obs, *others = other.step(action)
        begun += [obs.tobytes(), *(array.tobytes() for array in others)]
    return begun, whole


def test_another_core_goes_on_from_its_state_bit_for_bit():
    begun, whole = _interrupted(Go1Core.state_dict)

    assert begun == whole


def test_a_state_in_which_each_array_has_its_name_is_gone_on_from_too():
    def by_names(core):
        state = core.state_dict()
        for part, owner in (("robots", core), ("motion", core.motion)):
            own = {n: x for n, x in vars(owner).items() if isinstance(x, np.ndarray)}
            state[part] = {n: x for n, x in own.items() if x.base is owner.block.memory}
        state["robots"] |= {name: getattr(core, name) for name in ("obs", "finished", "diverged")}
        return state

    begun, whole = _interrupted(by_names)

    assert begun == whole


def test_an_array_that_a_program_put_in_the_place_of_one_is_of_its_state():
    def exchanged(core):
        core.rand_power = core.rand_power * 1.0
        core.rand_power[:] = 0.5
        return core.state_dict()

    core = Go1Core(N, SHAKEN)
    core.load_state_dict(exchanged(Go1Core(N, SHAKEN)))

    assert core.rand_power.tolist() == [0.5] * N


def test_a_state_of_other_arrays_is_refused_before_anything_is_touched():
    core = Go1Core(N)
    core.reset(0)
    before = copy.deepcopy(core.state_dict())
    with pytest.raises(ValueError, match=r"it keeps \[reward <f8\[5\]"):
        core.load_state_dict(Go1Core(N - 1).state_dict())

    assert (core.block.memory == before["robots"]["block"]).all()
    assert (core.qpos == before["simulations"]["state"][:, 1:20]).all()
