from pathlib import Path

import pytest

from trackway.storage.local import is_local

MOUNTS = """\
overlay / overlay rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sda1 /home/me/fast\\040disk ext4 rw 0 0
//nas/lab /mnt/lab cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
server:/x /dev/shm nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "local"),
    [
        ("/srv/runs", True),
        ("/home/me/models", False),
        ("/home/me/fast disk/models", True),
        ("/home/me/fast diskette", False),
        ("/mnt/lab/models", False),
        ("/mnt/ssh", False),
        ("/dev/shm", False),
    ],
)
def test_the_file_system_that_holds_a_folder_tells_whether_it_is_local(tmp_path, folder, local):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)

    assert is_local(Path(folder), mounts) is local


def test_a_link_is_where_it_leads_to(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    (tmp_path / "link").symlink_to("/home/me/models")

    assert not is_local(tmp_path / "link", mounts)


def test_what_cannot_be_told_is_not_called_local(tmp_path):
    assert not is_local(tmp_path, tmp_path / "no such file")


def test_shared_memory_of_this_machine_is_local():
    assert is_local(Path("/dev/shm"))
