"""Where two runs part: the first step and field in which they do not hold the same bits.

Sealed segments carry digests over everything before them. As long as these agree, nothing is
read; from the first segment that does not agree, or that was cut elsewhere, values are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from trackway.format import pieces
from trackway.storage.compare_records import compare_records
from trackway.storage.compare_rows import compare_rows
from trackway.storage.difference import Comparison, Difference
from trackway.storage.line import Stretch, layout


def compare(stream: str, a: Sequence[Stretch], b: Sequence[Stretch]) -> Comparison:
    """Compare two lines of a stream from the later beginning on.

    Raises:
        StreamError: One of them cannot be read.
    """
    found = Comparison(stream)
    (schema_a, envs_a, kind_a), (schema_b, envs_b, kind_b) = layout(a), layout(b)
    if pieces.KIND in (kind_a, kind_b):
        compare_records(found, a, b)
        return found
    if envs_a != envs_b:
        found.difference = Difference("num_envs", a=envs_a, b=envs_b)
        return found
    fields_a = {spec.name: (spec.dtype, spec.shape) for spec in schema_a}
    fields_b = {spec.name: (spec.dtype, spec.shape) for spec in schema_b}
    common = [name for name in fields_a if fields_a[name] == fields_b.get(name)]
    common.sort(key=lambda name: not name.startswith("action"))  # what a step was given comes first
    found.only_a = [name for name in fields_a if name not in common]
    found.only_b = [name for name in fields_b if name not in common]
    if common:
        compare_rows(found, a, b, common, envs_a)
    return found
