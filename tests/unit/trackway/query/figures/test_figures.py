import itertools
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread
from tests.support.recorded import make_run, record_attempt

from trackway.errors import MissingExtraError, QueryError
from trackway.format.schema import Field
from trackway.query import extras
from trackway.query.figures import learning, movement, shares
from trackway.query.figures.data import Subject, groups, motion, numbered_labels, recent
from trackway.query.figures.plot import plot
from trackway.query.figures.style import short, style
from trackway.query.run_view import RunView
from trackway.query.runs import open_run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        run = make_run(folder / f"2025-01-01_12-00-00-걷기-seed{seed}", seed=seed)
        record_attempt(run.path, 400, seed=seed)
    record_attempt(make_run(folder / "other", planned=9000).path, 100)
    return folder


def subject(models: Path, name: str) -> Subject:
    path = next(path for path in models.iterdir() if path.name.endswith(name))
    return Subject(open_run(path).facts, RunView(path))


def test_every_figure_is_drawn_in_every_format(models: Path, tmp_path: Path) -> None:
    written, missing = plot([subject(models, "seed0")], tmp_path, formats=["png", "svg"])

    assert missing == []
    assert sorted(p.name for p in written) == sorted(
        f"{kind}.{format}"
        for kind in ("learning", "components", "terminations", "gait", "joints")
        for format in ("png", "svg")
    )
    for path in written:
        if path.suffix == ".png":
            picture = imread(path)
            assert picture.shape[1] == 2160  # 7.2 inches at 300 dots
            assert picture[..., :3].std() > 0.05
        else:
            assert ET.parse(path).getroot().tag.endswith("svg")


def test_a_korean_name_renders(models: Path, tmp_path: Path) -> None:
    # A letter that no font has is a warning, which is an error here.
    plot([subject(models, "seed0")], tmp_path, kinds=["learning"], title="걷기 학습 곡선")

    assert (tmp_path / "learning.png").exists()


def test_the_same_run_gives_the_same_bytes(models: Path, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        plot([subject(models, "seed0")], tmp_path / name, kinds=["terminations"], formats=["svg"])
        made.append((tmp_path / name / "terminations.svg").read_bytes())

    assert made[0] == made[1]


def test_runs_that_differ_by_their_seed_are_one_curve_with_a_band(models: Path) -> None:
    subjects = [subject(models, name) for name in ("seed0", "seed1", "other")]

    assert {name: len(members) for name, members in groups(subjects).items()} == {
        "걷기": 2,
        "other": 1,
    }
    curves = [(s.episodes()["timestep"], s.episodes()["return"]) for s in subjects[:2]]
    x, middle, low, high = learning.curve(curves)
    each = [recent(*curve, x) for curve in curves]
    np.testing.assert_allclose(middle, np.mean(each, axis=0))
    np.testing.assert_allclose(high - low, 2 * np.std(each, axis=0, ddof=1))
    with style():
        figure = learning.draw(subjects, None)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "걷기  (n = 2)",
        "other  (n = 1)",
    ]
    assert [axis.get_title("left") for axis in figure.axes] == list(learning.PANELS.values())


def test_other_runs_of_one_name_are_told_apart_by_their_time(models: Path) -> None:
    walk = subject(models, "seed0")
    names = ["2025-01-01_12-00-00-walk", "2025-01-02_12-00-00-walk", "trot"]
    subjects = [
        replace(walk, facts=replace(walk.facts, name=name, config_text=f'{{"n_steps": {number}}}'))
        for number, name in enumerate(names)
    ]

    assert list(groups(subjects)) == names


def test_the_mean_is_of_the_last_hundred_episodes() -> None:
    x = np.arange(1, 301, dtype=float)
    values = np.where(x > 200, 2.0, 1.0)
    values[10] = np.nan

    made = recent(x, values, np.array([3.0, 100.0, 250.0, 300.0]))

    np.testing.assert_allclose(made, [np.nan, 1.0, 1.5, 2.0])


def test_components_are_stacked_and_their_sum_is_the_reward(models: Path) -> None:
    with style():
        figure = shares.draw_components(subject(models, "seed0"), None)

    (axis,) = figure.axes
    net = axis.lines[0].get_ydata()
    np.testing.assert_allclose(net, 0.4)
    assert [t.get_text() for t in axis.get_legend().get_texts()] == [
        "+ speed",
        "- energy",
        "= reward",
    ]


def test_bands_never_cover_each_other() -> None:
    curves = {"a": np.array([1.0, -1.0]), "b": np.array([2.0, -2.0]), "c": np.array([-3.0, 3.0])}

    made = shares.layers(["a", "b", "c"], curves)

    for position in range(2):
        spans = sorted((low[position], high[position]) for _, low, high in made)
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert end <= begin


def test_a_gait_is_what_the_feet_did(models: Path) -> None:
    moved = motion(subject(models, "seed0"), ["foot_contact"], episode=3, env=2)
    assert moved.told.startswith("robot 2, episode 3, timestep")
    with style():
        figure = movement.draw_gait(subject(models, "seed0"), None, episode=3, env=2, start=0.0)

    bars = figure.axes[0].collections[0].get_paths()
    stands = moved.columns["foot_contact"][:, 0]
    assert len(bars) == len(movement.runs_of(stands))
    lengths = [path.get_extents().width for path in bars]
    assert sum(lengths) == pytest.approx(stands.sum())
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["left", "right"]


def test_what_cannot_be_drawn_is_said(models: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "bare")
    bare = Subject(open_run(run.path).facts, RunView(run.path))
    with pytest.raises(QueryError, match="no finished episode"):
        plot([bare], tmp_path)
    with pytest.raises(QueryError, match="no finished episode of environment 9"):
        plot([subject(models, "seed0")], tmp_path, kinds=["gait"], env=9)
    with pytest.raises(QueryError, match="ends before 99"):
        plot([subject(models, "seed0")], tmp_path, kinds=["gait"], start=99.0)


def test_names_of_numbers_come_from_the_description() -> None:
    joints = "trunk (x y z, quaternion w x y z), then FR_hip, FR_thigh"
    qpos = Field("qpos", shape=(4,), description=joints)
    action = Field("action", shape=(2,), description="what the step was given")
    torque = Field("torque", shape=(2,), description="of the motors: left, right")
    assert numbered_labels(qpos) == ["0", "1", "FR_hip", "FR_thigh"]
    assert numbered_labels(action) == ["0", "1"]
    assert numbered_labels(torque) == ["left", "right"]
    assert [short(n) for n in (0, 950, 1500, 2_000_000)] == ["0", "950", "1.5k", "2M"]


def test_a_missing_matplotlib_says_how_to_install_it(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'trackway\[plot\]'"):
        plot([subject(models, "seed0")], tmp_path)
