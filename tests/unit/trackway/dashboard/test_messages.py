import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_page_knows_the_messages_that_the_server_sends():
    check = [sys.executable, ROOT / "scripts" / "web-messages", "--check"]

    assert subprocess.run(check, check=False).returncode == 0, "run scripts/web-messages"
