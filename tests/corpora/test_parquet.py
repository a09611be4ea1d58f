import numpy as np
import pytest

from freerun.corpora.lines import MAX_LINE
from freerun.corpora.own_files import open_file
from freerun.corpora.reading import Reading, Refusal
from freerun.errors import FreerunError, UsageError


@pytest.fixture
def parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write_table(columns: dict, name: str = "a.parquet") -> str:
        pq.write_table(pa.table(columns), tmp_path / name)
        return str(tmp_path / name)

    return write_table


def test_rows_come_with_their_properties(parquet):
    n = 10_000  # more than a batch
    path = parquet({"logp": np.arange(n) / 2, "smiles": ["C" * (1 + i % 9) for i in range(n)], "set": ["a"] * n})
    reader = open_file(path)
    records = list(reader.records(Reading(), ("set", "logp")))
    assert len(records) == n
    assert records[4321] == (4322, "CC", ("a", 2160.5))
    assert reader.column_names() == ("logp", "smiles", "set")


def test_missing_and_overlong_strings_are_refused(parquet):
    records = list(open_file(parquet({"smiles": ["C", None, "", "C" * (MAX_LINE + 1)]})).records(Reading()))
    assert [isinstance(text, Refusal) for _, text, _ in records] == [False, True, True, True]


def test_the_column_is_guessed_by_its_type_or_asked_for(parquet):
    path = parquet({"a": [1.0], "b": ["CCO"]})
    assert open_file(path).string_column == "b"
    with pytest.raises(UsageError, match="no column 'c'; its columns are 'a', 'b'"):
        open_file(path, "c")
    with pytest.raises(UsageError, match="no column 'c'"):
        list(open_file(path).records(Reading(), ("c",)))


def test_a_gzipped_parquet_file_is_read(parquet, write):
    import gzip
    from pathlib import Path

    plain = Path(parquet({"smiles": ["CCO"]})).read_bytes()
    assert [text for _, text, _ in open_file(write("b.parquet.gz", gzip.compress(plain))).records(Reading())] == ["CCO"]


def test_a_damaged_parquet_file_is_one_clear_line(parquet, write):
    with pytest.raises(FreerunError, match="no Parquet file"):
        open_file(write("b.parquet", "smiles\nC\n"))
    with pytest.raises(FreerunError, match="no readable Parquet file"):
        open_file(write("c.parquet", b"PAR1" + b"x" * 100))
