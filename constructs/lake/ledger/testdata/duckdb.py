"""Translates for DuckDB: a query of Athena's and column types of Glue's.

Reads {"query": "…", "types": ["…"]} and writes the same.
"""

import json
import sys

from sqlglot import exp, transpile

given = json.load(sys.stdin)
json.dump(
    {
        "query": transpile(given["query"], read="athena", write="duckdb")[0],
        "types": [exp.DataType.build(name, dialect="hive").sql("duckdb") for name in given["types"]],
    },
    sys.stdout,
)
