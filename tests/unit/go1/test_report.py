import io
import re

import pytest
from rich.console import Console

from go1.config import Go1Config
from go1.evaluation import evaluate
from go1.training import report


def shown(config: Go1Config) -> str:
    """The table of a policy that does nothing, on a terminal of eighty columns."""
    table = evaluate(lambda obs: 0 * obs[:, :12], config, (0.5, 1.0), num_robots=2, seconds=2.5)
    out = io.StringIO()
    report.evaluation(Console(file=out, width=80), table, config.biped)
    return out.getvalue()


@pytest.mark.parametrize("biped", [False, True])
def test_the_table_fits_eighty_columns_with_a_line_for_each_command(biped):
    lines = shown(Go1Config(biped=biped)).splitlines()

    assert all(len(line) <= 80 for line in lines)
    assert not any("…" in line for line in lines)
    assert [line.split()[0] for line in lines[-2:]] == ["0.50", "1.00"]


def test_what_could_not_be_measured_is_a_dash_and_zero_has_no_sign():
    fallen, standing = shown(Go1Config(biped=True)), shown(Go1Config())

    assert "nan" not in fallen
    assert fallen.splitlines()[-1].split()[1:3] == ["-", "-"]
    assert not re.search(r"-0\.0+(?!\d)", standing)
    assert float(standing.splitlines()[-1].split()[1]) == pytest.approx(0.0, abs=0.05)
