"""Run as a writer process: writes each message's text into a file, and fails as it is told to."""

import os
import signal
from pathlib import Path
from typing import Any

from trackway.files import publish
from trackway.recorder.inbox import Done, WrittenFile, serve


class FaultySink:
    """A file named `refuse` in the folder makes writes fail; a message may ask for death once."""

    folder = Path()

    def handle(self, seq: int, message: dict[str, Any], columns: dict[str, Any]) -> Done:
        if "folder" in message:
            self.folder = Path(message["folder"])
            return Done()
        if message.get("kind") == "commit":
            return Done([seq])
        if message.get("hold"):
            return Done()
        if (self.folder / "refuse").exists():
            raise OSError(28, "No space left on device")
        if message.get("nonsense"):
            raise ValueError("this record is no record")
        path = self.folder / f"{message['text']}.txt"
        dying = message.get("dies") and not path.exists()
        publish(path, message["text"].encode())
        if dying or message.get("always_dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        return Done([seq], [WrittenFile("texts", path, 1)])

    def finish(self) -> Done:
        publish(self.folder / "finished.txt", b"")
        return Done()


if __name__ == "__main__":
    serve(FaultySink())
