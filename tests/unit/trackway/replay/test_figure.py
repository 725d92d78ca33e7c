from trackway.replay.figure import draw_progress


def test_a_history_becomes_a_picture_also_where_values_are_missing(tmp_path):
    history = {
        "timesteps_history": [100, 200],
        "rewards_history": [1.0, 2.5],
        "lengths_history": [10.0, 20.0],
        "success_rates": [None, None],
        "reward_components_history": [{}, {"velocity": 2.0}],
    }

    job = draw_progress(history, tmp_path / "figures" / "progress.png")

    assert job.wait(90), job.error
    assert (tmp_path / "figures" / "progress.png").read_bytes().startswith(b"\x89PNG")
