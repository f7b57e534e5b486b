"""Writes tests/templates.json: a table of small templates and what Jinja2 renders of them, which make check goes by where there is
no Jinja2. Every form of template.py is in it, with random insides; so are calls on text and numbers, scopes and white space.

    template_table.py DRIVER >tests/templates.json

What mote refuses by name, and what template.py leaves out of its comparison, is not in it. A null means: an error. Contexts
are JSON in a text, so that 1.0 stays what it is.
"""
import json
import signal
import subprocess
import sys

import template

HEAD = "{% set ns = namespace(v=1, w=0) %}{% set cy = cycler('p', 'q') %}{% set jo = joiner() %}" \
       "{% macro m(a=1, b=2) %}[{{ a }}|{{ b }}]{% endmacro %}"


def cases():
    context = template.Maker("context").context()
    for kind, forms in template.FORMS.items():
        for number, form in enumerate(forms):
            for variant in range(1 if "$" not in form else 2):
                maker = template.Maker("%s:%d:%d" % (kind, number, variant))
                inside = template.re.sub(r"\$([a-z])", lambda match: "(%s)" % maker.expression(match.group(1), 3), form)
                head = HEAD if any(name in inside for name in ("ns.", "cy.", "jo(", "m(")) else ""
                text = "{{ %s }}" % inside
                yield (head + ("{% for v in [0, 1] %}" + text + "{% endfor %}" if "loop" in inside else text)), context
    for number in range(150):
        maker = template.Maker("statement:%d" % number)
        yield HEAD + maker.body(1, 1), context
    for number in range(500):
        yield template.Maker("narrow:%d" % number).narrow_case()


def late(signum, frame):
    raise TimeoutError


def main():
    signal.signal(signal.SIGALRM, late)
    given = [{"template": text, "context": context, "trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": False}
             for text, context in cases() if len(text) < 400]
    run = subprocess.run([sys.argv[1]], input="".join(json.dumps(case) + "\n" for case in given), capture_output=True,
                         encoding="utf-8", check=True)
    rows, common = [], given[0]["context"]
    for case, line in zip(given, run.stdout.split("\n")):
        answer = json.loads(line)
        signal.alarm(1)
        output, error = template.judge(case)
        signal.alarm(0)
        if "TimeoutError" in (error or "") or "MemoryError" in (error or "") or len(output or "") > 400:
            continue
        if answer.get("status") in (template.LIMIT, template.UNSUPPORTED) or "slice" in answer.get("error", ""):
            continue
        if output is not None and (template.ADDRESS.search(output) or not template.encodable(output)):
            continue
        rows.append([case["template"], output] + ([json.dumps(case["context"])] if case["context"] is not common else []))
    print('{"context": %s,\n"cases": [\n%s\n]}' % (json.dumps(json.dumps(common)),
                                                  ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)))


main()
