"""The memory that a training frees stays with the process."""

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from freerun.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(1 << 26)
before = faults()
for _ in range(20):
    bytearray(1 << 26)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc's malloc")
def test_a_block_that_is_freed_and_needed_again_costs_no_new_pages():
    counts = {}
    for mode in ("keep", "give back"):
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
        counts[mode] = int(done.stdout)
    assert counts["keep"] < counts["give back"] / 10
