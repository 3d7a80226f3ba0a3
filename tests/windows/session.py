"""Run commands of dlcli in this process, one after the other, and print what became of each.

The commands are JSON on stdin: lists of arguments. The output of each is in cp1252, as that of a
Windows console may be.
"""

import io
import json
import sys

from dlcli.cli.main import run

if __name__ == "__main__":
    stdout, stderr = sys.stdout, sys.stderr
    results = []
    for arguments in json.load(sys.stdin):
        sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
        sys.stderr = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
        code = run(arguments)
        captured = []
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            captured.append(stream.buffer.getvalue().decode("cp1252"))
        results.append([code, *captured])
    json.dump(results, stdout)
