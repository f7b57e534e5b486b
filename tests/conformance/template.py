"""Chat templates and unit cases against what Jinja2 3.1.6 renders in transformers' environment.

    template.py DRIVER FOLDER

Cases that Jinja2 renders must be byte-exact, cases that it refuses must be refused. EXCEPTIONS are named with
their reason; one that would pass is reported, too.
"""
import calendar
import json
import os
import subprocess
import sys

FROZEN = calendar.timegm((2025, 7, 10, 12, 0, 0))

EXCEPTIONS = {
    "hfjs:TOJSON_ENSURE_ASCII": "the context holds \\u0000, which mote's JSON refuses",
    "hfjs:TOJSON_ENSURE_ASCII_FALSE": "the context holds \\u0000, which mote's JSON refuses",
    "minja:{{ '' | items }}": "prints the address of a generator",
    "minja:{{ [] | items }}": "prints the address of a generator",
    "minja:{{ None | items }}": "prints the address of a generator",
}


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def cases(folder):
    goldens = load(folder, "template_goldens.json")
    for case in goldens["cases"]:
        yield {"name": "golden:%s:%s" % (case["template"], case["context"]),
               "template": goldens["templates"][case["template"]], "context": goldens["contexts"][case["context"]],
               "expected": None if case["error"] else case["output"]}
    for case in load(folder, "chat_template_goldens.json"):
        with open(os.path.join(folder, "chat_template_stage_%s.jinja" % case["stage"]), newline="",
                  encoding="utf-8") as file:
            template = file.read()
        yield {"name": "trlm:%s:%s:%s" % (case["stage"], case["conv"], case["add_generation_prompt"]),
               "template": template,
               "context": {"messages": case["messages"], "add_generation_prompt": case["add_generation_prompt"]},
               "expected": None if case["error"] else case["rendered"]}
    for case in load(folder, "hfjs_templates.json"):
        yield {"name": "hfjs:" + case["name"], "template": case["template"], "context": case["data"] or {},
               "expected": case["jinja2_3_1_6"]}
    for case in load(folder, "minja_test_syntax.json"):
        yield {"name": "minja:" + case["template"], "template": case["template"], "context": case["data"] or {},
               "expected": case["jinja2_3_1_6"],
               "options": {key: case.get(key, False) for key in ("trim_blocks", "lstrip_blocks", "keep_trailing_newline")}}


def main():
    driver, folder = sys.argv[1:3]
    listed = list(cases(folder))
    lines = [json.dumps({"template": case["template"], "context": case["context"], "now": FROZEN,
                         **case.get("options", {})})
             for case in listed]
    run = subprocess.run([driver], input="\n".join(lines) + "\n", capture_output=True, encoding="utf-8", check=True)
    passed = failed = 0
    for case, line in zip(listed, run.stdout.splitlines()):
        answer = json.loads(line)
        good = answer.get("output") == case["expected"] and answer.get("status", 0) >= 0
        if case["name"] in EXCEPTIONS:
            print("%s %s: %s" % ("exception passes:" if good else "exception:", case["name"], EXCEPTIONS[case["name"]]))
            continue
        passed += good
        failed += not good
        if not good:
            print("FAILED %s\n  expected %r\n  got      %r" % (case["name"], case["expected"], answer))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0 or not passed


sys.exit(main())
