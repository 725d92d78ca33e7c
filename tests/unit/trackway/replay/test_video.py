from fractions import Fraction

import numpy as np
import pytest
from tests.support.videos import decode

from trackway.replay.video import encode, frame_rate, pick_frames


@pytest.mark.parametrize(
    ("step_s", "fps", "num_states", "num_frames"),
    [
        (0.02, 50, 100, 100),  # every state is a frame
        (0.02, 25, 100, 50),  # every second state
        (0.05, 50, 40, 40),  # states 20 a second: frames too
        (0.008, 30, 500, 120),  # 4 s whatever the ratio
    ],
)
def test_a_video_lasts_as_long_as_the_motion(step_s, fps, num_states, num_frames):
    rate = frame_rate(step_s, fps)
    picked = pick_frames(num_states, step_s, rate)

    assert len(picked) == num_frames
    assert num_frames / float(rate) == pytest.approx(num_states * step_s)


def test_each_frame_shows_the_state_of_its_instant():
    rate = frame_rate(0.008, 30)
    picked = pick_frames(500, 0.008, rate)

    lag_s = np.arange(len(picked)) / 30 - picked * 0.008

    assert (lag_s >= -1e-6).all()
    assert (lag_s < 0.008).all()


def test_a_single_state_is_a_video_of_one_frame():
    assert pick_frames(1, 0.02, Fraction(25)).tolist() == [0]


def test_an_encoded_video_has_its_frames_at_their_instants(tmp_path):
    greys = [0, 80, 160, 240]
    frames = (np.full((48, 64, 3), grey, dtype=np.uint8) for grey in greys)

    encode(tmp_path / "a.mp4", frames, Fraction(20), 64, 48)
    pictures, instants = decode(tmp_path / "a.mp4")

    assert instants == pytest.approx([0.0, 0.05, 0.1, 0.15])
    assert pictures.shape == (4, 48, 64, 3)
    assert pictures.mean(axis=(1, 2, 3)) == pytest.approx(greys, abs=6)
