import pytest
from tests.support.archives import Recorded
from tests.support.clock import FakeClock

from trackway.storage.archive.compact import compact_run
from trackway.storage.recovery import open_journal
from trackway.storage.segments import load
from trackway.storage.verify import verify


@pytest.fixture
def recorded(tmp_path):
    found = Recorded(tmp_path, FakeClock())
    found.batch(30)
    found.journal.note({"note": "waited", "times": 1, "seconds": 0.5})
    found.batch(12)
    return found


def test_a_report_does_not_change_when_segments_become_parts(recorded):
    recorded.finish()
    before = verify(recorded.folder)
    compact_run(recorded.run)
    after = verify(recorded.folder)

    assert after.whole
    assert (after.parts, after.segments) == (1, 0)
    for fact in ("rows", "first_row", "gaps", "notes", "digests", "kind", "num_envs", "fields"):
        assert getattr(after, fact) == getattr(before, fact), fact


def test_a_damaged_field_is_named_and_the_others_are_whole(recorded):
    recorded.finish()
    compact_run(recorded.run)
    path = recorded.folder.parts()[0].path
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    report = verify(recorded.folder)

    assert not report.whole
    assert len(report.faults) == 1
    assert str(path) in report.faults[0]
    assert "field qpos" in report.faults[0]
    assert report.rows == 42


def test_a_writer_goes_on_after_the_parts_and_the_digests_with_it(recorded):
    """As when the power went just as the next segment was begun, and its header was lost."""
    recorded.journal.close()
    (recorded.folder.path / "000002.open").unlink()
    compact_run(recorded.run)
    journal = open_journal(recorded.folder, recorded.spec, recorded.clock)
    digests = verify(recorded.folder).digests

    assert journal.next_row == 42
    assert load(recorded.folder.open_segment(2)).header.previous == digests
    journal.close()
