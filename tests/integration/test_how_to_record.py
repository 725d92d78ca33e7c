"""The how-to page is run as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "record-every-step.md"


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {})

    assert len(examples) == 2
    assert capsys.readouterr().out.splitlines() == [
        "(1000, 12)",
        "[{'event': 'start', 'seed': 0}]",
    ]
