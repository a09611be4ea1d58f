"""What all tests share: shape checks, one thread per worker, folders of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook
from typechecker import spare

# Before anything imports torch; programs that a test starts inherit it.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Every annotated function and dataclass of freerun is checked, shapes included, from here on.
install_import_hook("freerun", "typechecker.checked")

# The same examples each time: a failure is a failure for everyone.
hypothesis.settings.register_profile("freerun", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("freerun")

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def checks() -> None:
    spare()


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`$FREERUN_CACHE` and `$FREERUN_DATA` of the session's own, unless set: no test touches the user's.

    Corpora that lie in shared/data beside the checkout are linked into the data folder, for the slow tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "FREERUN_CACHE" not in os.environ:
            patch.setenv("FREERUN_CACHE", str(tmp_path_factory.mktemp("cache")))
        if "FREERUN_DATA" not in os.environ:
            data = tmp_path_factory.mktemp("data")
            for file in (CHECKOUT.parent / "shared" / "data").glob("*"):
                (data / file.name).symlink_to(file)
            patch.setenv("FREERUN_DATA", str(data))
        yield
