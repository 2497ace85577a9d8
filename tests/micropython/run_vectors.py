"""Runs every vector on MicroPython: ``micropython run_vectors.py <repository>``."""
# ruff: noqa: PTH123, PTH208, T201, UP031 - MicroPython has no pathlib

import json
import os
import sys

root = sys.argv[1]
vectors = root + "/tests/vectors"
sys.path[:0] = [root + "/bridges/lab2mqtt", vectors]

import cases  # noqa: E402
import wire  # noqa: E402

count = failed = 0
for name in sorted(os.listdir(vectors)):
    if not name.endswith(".json"):
        continue
    with open(vectors + "/" + name) as file:
        listed = json.load(file)
    for case in listed:
        count += 1
        try:
            fault = cases.fault(wire, name[:-5], case)
        except Exception as error:  # noqa: BLE001 - the rest is run all the same
            fault = "%s: %s" % (type(error).__name__, error)
        if fault:
            failed += 1
            print("%s, %s: %s" % (name, case["why"], fault))
print("%d vectors, %d failed" % (count, failed))
sys.exit(1 if failed else 0)
