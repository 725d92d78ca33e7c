"""The archive: sealed segments as Parquet parts, which every dataframe and SQL engine opens.

Needs pyarrow (`pip install trackway[archive]`); import its modules only where there is a part.
"""
