"""Counts how often each operation of the document has succeeded, from the lines prepare.py has written.

`counted.py streams` prints the operations whose answer is an event stream instead.
"""

import collections
import json
import os
import sys


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


def is_stream(operation):
    return any("text/event-stream" in answer.get("content", {}) for answer in operation["responses"].values())


def main():
    with open(os.environ["API_DOCUMENT"], encoding="utf-8") as file:
        document = json.load(file)
    if sys.argv[1:] == ["streams"]:
        print(*(name for name, _, _, operation in operations(document) if is_stream(operation)), sep="\n")
        return 0
    seen = collections.defaultdict(collections.Counter)
    with open(os.environ["API_COUNTS"], encoding="utf-8") as lines:
        for line in lines:
            name, status = json.loads(line)
            seen[name][status] += 1
    never = []
    print(f"{'operation':<24}{'2xx':>7}{'refused':>9}  statuses")
    for name, _, _, _ in operations(document):
        good = sum(count for status, count in seen[name].items() if 200 <= status < 300)
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(seen[name].items()))
        print(f"{name:<24}{good:>7}{sum(seen[name].values()) - good:>9}  {statuses}")
        if good == 0:
            never.append(name)
    count = sum(1 for _ in operations(document))
    print(f"{count - len(never)} of {count} operations have succeeded")
    if never:
        print(f"never: {' '.join(never)}. tests/api/prepare.py says what an operation needs", file=sys.stderr)
    return 1 if never else 0


sys.exit(main())
