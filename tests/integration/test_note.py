"""`trackway note`, as a person types it."""

import json

import pytest

from trackway.cli.main import main
from trackway.run import create_run, new_manifest, write_manifest


@pytest.fixture
def run(tmp_path):
    run = create_run(tmp_path / "models", "walk")
    write_manifest(run, new_manifest(command=[], config={}))
    return run


def note(run, *arguments):
    return main(["note", run.name, *arguments, "--models", str(run.path.parent)])


def test_a_note_and_tags_are_kept_and_changed_one_by_one(run, capsys):
    assert note(run, "new gait clock", "--tag", "good", "--tag", "paper") == 0
    assert note(run, "--tag", "good", "--untag", "paper") == 0

    assert json.loads(run.notes.read_text()) == {"tags": ["good"], "note": "new gait clock"}
    assert note(run) == 0
    assert capsys.readouterr().out.endswith("walk: good\nnew gait clock\n")


def test_what_others_wrote_there_is_kept(run):
    run.notes.write_text('{"note": "old", "by": "me"}')
    assert note(run, "new") == 0

    assert json.loads(run.notes.read_text()) == {"note": "new", "by": "me", "tags": []}


@pytest.mark.parametrize("content", ["{", "[]"])
def test_what_cannot_be_read_is_not_overwritten(run, content, capsys):
    run.notes.write_text(content)

    assert note(run, "new") == 1
    assert run.notes.read_text() == content
    assert "notes.json" in capsys.readouterr().err


def test_a_tag_of_nothing_is_refused(run):
    assert note(run, "--tag", " ") == 1
    assert not run.notes.exists()
