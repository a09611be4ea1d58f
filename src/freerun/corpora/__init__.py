"""Where strings come from: embedded, fetched or your own file; cleaning, splits, columns, batches.

The way in is `freerun.corpora.corpus.open_corpus`; then `encode.encode_split`, `encode.fit` and `batches.Batches`.
"""
