"""Jobs: long recordings and their results, kept in SQLite so that a restart loses none."""
