#!/usr/bin/env python3
"""Lines that ran, for a build with --coverage: coverage.py BUILD. The last line: per cent of each folder, and of all."""
import collections
import json
import os
import subprocess
import sys

FOLDERS = ("format", "runtime", "convert", "quant")


def main(build):
    lines = {}  # (file, line): it ran, in any object that holds it
    for folder, _, names in os.walk(build):
        objects = [os.path.join(folder, name) for name in names if name.endswith(".gcno")]
        if not objects or "/tests" in folder:
            continue
        report = subprocess.run(["gcov", "--json-format", "--stdout", *objects], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=True).stdout
        for text in report.splitlines():
            for file in json.loads(text)["files"]:
                name = os.path.normpath(file["file"])
                if name.split("/")[0] not in FOLDERS:
                    continue
                for line in file["lines"]:
                    key = (name, line["line_number"])
                    lines[key] = lines.get(key, False) or line["count"] > 0
    files, folders = collections.Counter(), collections.Counter()
    ran_files, ran_folders = collections.Counter(), collections.Counter()
    for (name, _), ran in lines.items():
        for group, ran_group, key in ((files, ran_files, name), (folders, ran_folders, os.path.dirname(name)),
                                      (folders, ran_folders, "total")):
            group[key] += 1
            ran_group[key] += ran
    if not lines:
        sys.exit("nothing was built with --coverage in " + build)
    for name in sorted(files):
        print("%6.1f %%  %5d of %5d  %s" % (100 * ran_files[name] / files[name], ran_files[name], files[name], name))
    order = sorted(folders, key=lambda name: (name == "total", name))
    print("lines, per cent: " + ", ".join("%s %.1f" % (name, 100 * ran_folders[name] / folders[name]) for name in order))


main(sys.argv[1])
