"""What every probe must do; a new one gets these tests by subclassing."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from trackway.probes.check import check_probe
from trackway.probes.probe import HasSources, Probe, TellsStarts, empty_row


class ProbeContract:
    """Subclass it, name the class `Test…`, and say how to make the probe."""

    num_envs = 1

    def make(self) -> tuple[Probe, Any]:
        """A probe, and something to step its environments with: `step()`."""
        raise NotImplementedError

    def test_it_writes_every_field_twice_alike_and_describes_them(self):
        probe, _ = self.make()

        assert check_probe(probe, self.num_envs) == []

    def test_it_sees_that_a_step_was_made(self):
        probe, step = self.make()
        before, after = (empty_row(probe.schema, self.num_envs) for _ in range(2))
        probe.read(before)
        step()
        probe.read(after)

        assert any((before[name] != after[name]).any() for name in before)

    def test_its_sources_are_what_it_reads_and_never_move(self):
        probe, step = self.make()
        if not isinstance(probe, HasSources):
            return
        for _ in range(30):
            row = empty_row(probe.schema, self.num_envs)
            sources = dict(probe.sources)
            step()
            probe.read(row)

            assert sources.keys() == row.keys()
            for name, column in row.items():
                np.testing.assert_allclose(column, sources[name], rtol=1e-6, err_msg=name)

    def test_what_it_tells_of_a_start_is_json(self):
        probe, _ = self.make()
        if isinstance(probe, TellsStarts):
            for env in range(self.num_envs):
                assert orjson.loads(orjson.dumps(probe.start(env))) == probe.start(env)
