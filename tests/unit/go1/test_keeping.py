import tempfile
from pathlib import Path

import pytest

from go1.training.keeping import keep_model
from trackway.errors import RecordingError


@pytest.fixture
def refusing(tmp_path: Path) -> Path:
    """A run's folder that is a file: whatever should be written into it is refused."""
    (tmp_path / "my_run").touch()
    return tmp_path / "my_run" / "final_model.zip"


def test_a_model_whose_disk_refuses_is_kept_elsewhere_and_said(refusing, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    with pytest.raises(RecordingError, match=r"the model is in .*my_run-final_model\.zip"):
        keep_model(refusing, b"weights")

    assert (tmp_path / "temporary" / "my_run-final_model.zip").read_bytes() == b"weights"


def test_a_model_that_nobody_takes_is_said_to_be_lost(refusing, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "my_run"))

    with pytest.raises(RecordingError, match="the model is lost"):
        keep_model(refusing, b"weights")
