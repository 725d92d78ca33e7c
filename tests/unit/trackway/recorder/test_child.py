import os
import signal
import subprocess
import sys

from trackway.recorder.child import start_child

WRITER = """
import os, sys
from trackway.recorder.child import become_writer
become_writer(7)
print(os.nice(0), os.getpgrp() == os.getpid(), sys.argv[1:], flush=True)
sys.stdin.read()
os.read(int(sys.argv[1]), 1)
print("the end", flush=True)
"""


def test_a_writer_is_niced_hears_no_signal_and_imports_nothing_from_where_it_stands(
    tmp_path, monkeypatch
):
    modules, here = tmp_path / "modules", tmp_path / "here"
    modules.mkdir()
    here.mkdir()
    (modules / "some_writer.py").write_text(WRITER)
    (here / "some_writer.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.chdir(here)
    theirs, ours = os.pipe()
    child = start_child(
        "some_writer", str(theirs), "a b", output=subprocess.PIPE, pass_fds=[theirs]
    )
    os.close(theirs)
    with child.stdout as output:
        assert output.readline() == f"{os.nice(0) + 7} True ['{theirs}', 'a b']\n".encode()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child.send_signal(number)
        os.close(ours)
        assert output.read() == b"the end\n"
    assert child.wait() == 0


def test_a_writer_process_does_not_import_what_reads_and_shows():
    look = (
        "import sys, trackway.recorder.inbox;"
        "print([m for m in sys.modules if m.startswith(('trackway.query', 'trackway.sync'))])"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", look], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"
