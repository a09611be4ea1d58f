"""Parquet files, read in batches of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from freerun.corpora.containers import File
from freerun.corpora.lines import MAX_LINE, AbstractReader, Record
from freerun.corpora.reading import Reading, refuse
from freerun.corpora.tables import guessed_column, position
from freerun.errors import FreerunError

_BATCH = 4096


@dataclass(frozen=True)
class ParquetTable(AbstractReader):
    """A Parquet file; the line number of a record is its row, from 1.

    Args:
        file: The file, not compressed as a whole.
        column: The column that holds the strings.
    """

    file: File
    column: str

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        parquet = _opened(self.file)
        for name in columns:
            position(name, parquet.schema_arrow.names, self.file.name)
        row = 0
        for batch in _batches(parquet, self.file.name, list(dict.fromkeys((self.column, *columns)))):
            texts = batch.column(self.column).to_pylist()
            others = [batch.column(name).to_pylist() for name in columns]
            properties = zip(*others, strict=True) if others else iter([()] * len(texts))
            for text, properties_of_row in zip(texts, properties, strict=True):
                row += 1
                if not isinstance(text, str) or not text or text.isspace():
                    yield row, refuse(row, self.file.name, 0, f"nothing in column {self.column!r}"), ()
                elif len(text) > MAX_LINE:
                    reason = f"the string is longer than {MAX_LINE:,} characters"
                    yield row, refuse(row, self.file.name, MAX_LINE, reason), ()
                else:
                    yield row, text, properties_of_row

    def key(self) -> dict:
        return {"kind": "parquet", "file": self.file.digest, "column": self.column}

    @property
    def string_column(self) -> str:
        return self.column

    def column_names(self) -> tuple[str, ...]:
        return tuple(_opened(self.file).schema_arrow.names)


def open_parquet(file: File, column: str | None) -> ParquetTable:
    """A Parquet file with its string column found.

    Raises:
        FreerunError: If it is no Parquet file.
        UsageError: If the column is not there, holds no strings, or cannot be guessed.
    """
    schema = _opened(file).schema_arrow
    kinds = {field.name: "label" if _is_text(field.type) else "number" for field in schema}
    if column is None:
        column = guessed_column(kinds, file.name)
    position(column, schema.names, file.name)
    return ParquetTable(file, column)


def _opened(file: File) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(file.path)
    except (pyarrow.ArrowException, OSError) as error:
        raise FreerunError(f"{file.name} is no readable Parquet file: {_first_line(error)}") from error


def _batches(parquet: Any, file: str, columns: list[str]) -> Iterator[Any]:
    import pyarrow

    try:
        yield from parquet.iter_batches(batch_size=_BATCH, columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise FreerunError(f"{file} cannot be read to its end ({_first_line(error)}); is it damaged?") from error


def _is_text(kind: Any) -> bool:
    import pyarrow

    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
