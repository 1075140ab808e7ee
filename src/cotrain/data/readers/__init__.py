"""From files to tables: CSV and TSV, Parquet, ARFF."""
