"""What a training asks of the C library's memory."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # <malloc.h>
MOST = 2**31 - 1


def keep_freed() -> bool:
    """From here to its end this process keeps the memory that it frees. Returns whether the C library can.

    glibc gives large blocks back to the system when they are freed, and each step of a training, which needs as many
    again, pays for their pages anew: a tenth of a step with thousands of words. The peak rose by a tenth there.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, MOST))
