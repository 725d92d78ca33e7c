import importlib
import sys
import zlib

from hypothesis import given
from hypothesis import strategies as st

from trackway.format import crc


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 1))
def test_it_is_zlibs(data, before):
    assert crc.crc32(data) == zlib.crc32(data)
    assert crc.crc32(memoryview(data), before) == zlib.crc32(data, before)


def test_without_the_fast_one_zlibs_is_taken(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "isal.isal_zlib", None)
        importlib.reload(crc)

        assert crc.crc32 is zlib.crc32
    importlib.reload(crc)
