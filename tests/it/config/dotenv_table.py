"""Writes into dotenv_table.jsonl what python-dotenv makes of each row.

    python3 -m venv /tmp/dotenv && /tmp/dotenv/bin/pip install python-dotenv
    /tmp/dotenv/bin/python tests/it/config/dotenv_table.py

A row has `file` (the text of a .env) and, where it matters, `environment`. This adds `reads`, the
variables that python-dotenv would set, and `broken`, how many statements it cannot read. To add a
row, write its `file` and run this again. The committed rows were made with python-dotenv 1.2.4.
"""

import json
import logging
import os
import pathlib
import tempfile

from dotenv.main import DotEnv

TABLE = pathlib.Path(__file__).with_name("dotenv_table.jsonl")
warnings = []


class Counter(logging.Handler):
    def emit(self, record):
        warnings.append(record)


log = logging.getLogger("dotenv.main")
log.addHandler(Counter())
log.propagate = False

rows = []
for line in TABLE.read_text(encoding="utf-8").splitlines():
    given = json.loads(line)
    row = {"file": given["file"]}
    if "environment" in given:
        row["environment"] = given["environment"]
    os.environ.clear()
    os.environ.update(row.get("environment", {}))
    warnings.clear()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = pathlib.Path(folder, ".env")
        path.write_bytes(row["file"].encode("utf-8"))
        # As load_dotenv() reads it, which never overrides the environment.
        read = DotEnv(path, encoding="utf-8", override=False).dict()
    row["reads"] = {key: value for key, value in read.items() if value is not None}
    row["broken"] = len(warnings)
    rows.append(json.dumps(row, ensure_ascii=True))
TABLE.write_text("\n".join(rows) + "\n", encoding="utf-8")
