"""A run that grows, and a store."""

from __future__ import annotations

import pytest
from tests.support.streams import Bench

from trackway.sync.folder_store import FolderStore


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "here" / "달리기 1", capacity=64, segment_rows=40)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")
