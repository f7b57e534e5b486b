"""Random JSON schemas against python3-jsonschema: every text that the grammar of a schema can write must be strict JSON and
valid. schema.py BUILD COUNT SEED [MODEL.mote]. Without a model texts come from a random walk through the grammar
(drive_grammar); with one they are the answers of mote-serve at temperature 1.5, eight side by side."""
import concurrent.futures
import datetime
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import jsonschema

NAMES = ["a", "b", "ab", "abc", "name", "größe", "x y", 'q"uote', "back\\slash", "日本", "_", "0"]
PATTERNS = ["^[a-z]{2,4}$", "^\\d+(\\.\\d+)?$", "^(foo|bar)-[A-Z]\\d?$", "ab?c", "^[^a-z]{1,3}$", "^\\w+\\s\\w+$", "x$",
            "^\\S{3}$", "^[\"\\\\]\\n?$", "^é[à-ü]$", "a|b$", "^.$"]


def string(r):
    kind = r.randrange(6)
    if kind == 0:
        s = {"type": "string", "pattern": r.choice(PATTERNS)}
        if r.random() < 0.3:
            s["minLength"] = r.randrange(3)
        if r.random() < 0.5:
            s["maxLength"] = 3 + r.randrange(8)
        return s
    if kind == 1 and r.random() < 0.2:
        return {"type": "string", "format": "date", "pattern": r.choice(["^20", "-0[1-3]-", "^[13579-]+$"])}
    if kind == 1:
        return {"type": "string", "format": r.choice(["date", "time", "date-time", "uuid", "ipv4", "ipv6", "email", "duration",
                                                     "hostname", "uri"])}
    s = {"type": "string"}
    if r.random() < 0.5:
        s["minLength"] = r.randrange(4)
    if r.random() < 0.7:
        s["maxLength"] = s.get("minLength", 0) + r.randrange(8)
    return s


def number(r):
    integer = r.random() < 0.5
    s = {"type": "integer" if integer else "number"}
    low = r.choice([-1000, -99, -10, -1, 0, 1, 7, 95, 123456])
    high = low + r.choice([1, 2, 5, 99, 1234])
    if r.random() < 0.6:
        s[r.choice(["minimum", "exclusiveMinimum"])] = low - 0.5 if integer and r.random() < 0.2 else low
    if r.random() < 0.6:
        s[r.choice(["maximum", "exclusiveMaximum"])] = high + 1
    if r.random() < 0.15:
        s["multipleOf"] = r.choice([1, 2, 3, 7, 10, 25])
    return s


def value(r, depth):
    kind = r.randrange(6)
    return [None, True, r.randrange(-5, 1000), round(r.random(), 3), r.choice(["x", "é\"\\", "two words"]),
            {"k": [1, 2]}][kind] if depth else 0


def array(r, depth):
    s = {"type": "array"}
    if r.random() < 0.3:
        s["prefixItems"] = [schema(r, depth - 1) for _ in range(r.randrange(1, 3))]
    if r.random() < 0.8:
        s["items"] = schema(r, depth - 1) if r.random() < 0.8 else r.choice([True, False])
    n = len(s.get("prefixItems", []))
    least = r.randrange(3)
    if s.get("items") is False or ("items" not in s and n):
        least = min(least, n)
    if r.random() < 0.5:
        s["minItems"] = least
    if r.random() < 0.6:
        s["maxItems"] = least + r.randrange(3)
    return s


def record(r, depth):
    names = r.sample(NAMES, 1 + r.randrange(4))
    s = {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": schema(r, depth - 1)}
    if r.random() < 0.5:
        s["propertyNames"]["enum"] = names
        s["required"] = [n for n in names if r.random() < 0.3]
    return s


def object_(r, depth):
    names = r.sample(NAMES, r.randrange(5))
    if r.random() < 0.2:
        return record(r, depth)
    s = {"type": "object", "properties": {n: schema(r, depth - 1) for n in names}}
    if r.random() < 0.7:
        s["required"] = [n for n in names if r.random() < 0.5]
    if r.random() < 0.4:
        s["additionalProperties"] = schema(r, 0) if r.random() < 0.5 else r.choice([True, False])
    elif r.random() < 0.2:
        s["required"] = s.get("required", []) + ["extra"]
    return s


def schema(r, depth):
    kind = r.randrange(12 if depth > 0 else 6)
    if kind < 2:
        return string(r)
    if kind < 4:
        return number(r)
    if kind == 4:
        return {"enum": [value(r, 1) for _ in range(r.randrange(1, 4))]} if r.random() < 0.7 else {"const": value(r, 1)}
    if kind == 5:
        return r.choice([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"], "maxLength": 3},
                         {"$ref": "#/$defs/leaf"}, {"type": ["integer", "boolean"], "title": "t", "description": "d"}])
    if kind < 8:
        return object_(r, depth)
    if kind < 10:
        return array(r, depth)
    if kind == 10:
        return combined(r, depth)
    return {"$ref": r.choice(["#/$defs/tree", "#/$defs/leaf"])}


def combined(r, depth):
    kind = r.randrange(5)
    if kind == 0:
        return {"anyOf": [schema(r, depth - 1) for _ in range(r.randrange(1, 4))]}
    if kind == 1:
        return {"oneOf": [{"type": "object", "properties": {"kind": {"const": k}, "v": schema(r, depth - 1)},
                           "required": ["kind"]} for k in ("one", "two", "three")] + [{"type": "null"}, string(r)]}
    if kind == 2:
        return {"allOf": [{"type": "object", "properties": {"p": string(r), "q": number(r)}, "required": ["p"]},
                          {"properties": {"s": schema(r, depth - 1), "q": {"minimum": -2}}, "required": ["s"]}]}
    if kind == 3:  # of a property that stands beside, too, it cannot be told: refused
        common = r.choice(["c", "c", "c", "a"])
        return {"type": "object", "properties": {common: schema(r, depth - 1)}, "oneOf": [
            {"type": "object", "properties": {n: True}, "required": [n]} for n in ("a", "b")]}
    return {"type": "object", "properties": {"a": schema(r, depth - 1), "b": number(r)},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}


def whole(r):
    s = schema(r, 3)
    s = dict(s)
    s["$defs"] = {"leaf": string(r), "tree": {"type": "object", "properties": {
        "value": number(r), "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}},
        "required": ["value"]}}
    return s


def is_date_time(value):
    return not isinstance(value, str) or datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))


def is_time(value):
    return not isinstance(value, str) or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", value) is not None


DURATION = r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)"
HOSTNAME = r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
URI = r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9.-]+(:\d+)?(/([\w.~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)*(\?([\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?" \
      r"(#([\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?"


def make_checker():
    checker = jsonschema.FormatChecker(["date", "uuid", "ipv4", "ipv6", "email"])
    # The package has no checkers of its own for these as RFC 3339, 1123 and 3986 have them.
    checker.checkers = dict(checker.checkers)
    checker.checkers["time"] = (is_time, ValueError)
    checker.checkers["date-time"] = (is_date_time, ValueError)
    for name, regex in (("duration", DURATION), ("hostname", HOSTNAME), ("uri", URI)):
        checker.checkers[name] = (lambda x, regex=regex: not isinstance(x, str) or re.fullmatch(regex, x), ValueError)
    return checker


def ask(port, s, seed):
    """HTTP status and JSON."""
    body = {"messages": [{"role": "user", "content": "What is 27 + 48?"}], "temperature": 1.5, "top_p": 1, "seed": seed,
            "max_tokens": 350, "think_budget": 4,
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": s}}}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def answer(port, seed, i, checker):
    """"valid", "cut", "refused", or what is wrong. An answer that is cut is tried again with other seeds."""
    s = whole(random.Random(seed * 1000003 + i))
    for attempt in range(4):
        status, r = ask(port, s, i + 1000 * attempt)
        if status == 400 and r["error"]["code"] == "unsupported":
            return "refused"
        if status != 200:
            return f"schema {i}: {status} {r}"
        choice = r["choices"][0]
        if choice["finish_reason"] != "stop":
            continue
        try:
            jsonschema.Draft202012Validator(s, format_checker=checker).validate(json.loads(choice["message"]["content"]))
        except (ValueError, jsonschema.ValidationError) as e:
            return f"schema {i}: {json.dumps(s)[:2000]}\n  {choice['message']['content'][:500]}\n  {str(e)[:300]}"
        return "valid"
    return "cut"


def ask_model(build, count, seed, model):
    process = subprocess.Popen([build + "/mote-serve", model, "--port", "0", "-t", "2", "-np", "8"],
                               stderr=subprocess.PIPE, text=True)
    port = int(process.stderr.readline().rsplit(":", 1)[1])
    checker = make_checker()
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda i: answer(port, seed, i, checker), range(count)))
    finally:
        process.terminate()
        process.communicate()
    wrong = [r for r in results if r not in ("valid", "cut", "refused")]
    print("\n".join(wrong[:20]))
    cut, refused = results.count("cut"), results.count("refused")
    print(f"{results.count('valid')} answers are valid, {cut} were cut four times at 350 tokens, {refused} schemas were refused")
    print(f"{results.count('valid')} passed, {len(wrong)} failed")
    sys.exit(bool(wrong) or cut > count // 20 or refused > count // 10)


def fits(validator, text):
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half of a pair is no character
        return validator.is_valid(value)
    except ValueError:
        return False


def wrong_in_table(checker):
    """Rows of tests/schemas.json, which make check goes by, whose judgements are not jsonschema's."""
    wrong = 0
    with open("tests/schemas.json", encoding="utf-8") as f:
        for row in json.load(f):
            validator = jsonschema.Draft202012Validator(row["schema"], format_checker=checker)
            if not all(fits(validator, t) for t in row.get("fits", [])) or any(fits(validator, t)
                                                                               for t in row.get("unfit", [])):
                print("tests/schemas.json:", json.dumps(row)[:500])
                wrong += 1
    return wrong


def main():
    build, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    passed = failed = refused = texts = 0
    reasons = {}
    checker = make_checker()
    failed += wrong_in_table(checker)
    if len(sys.argv) > 4:
        ask_model(build, count, seed, sys.argv[4])
    with tempfile.TemporaryDirectory() as work:
        for i in range(count):
            r = random.Random(seed * 1000003 + i)
            s = whole(r)
            path = os.path.join(work, "s.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(s, f, ensure_ascii=r.random() < 0.5)
            run = subprocess.run([build + "/drive_grammar", "schema", path, "20", str(i), "20000"], capture_output=True)
            if run.returncode == 3:
                refused += 1
                why = run.stderr.decode().split(": ", 2)[-1].strip()
                reasons[why] = reasons.get(why, 0) + 1
                continue
            validator = jsonschema.Draft202012Validator(s, format_checker=checker)
            good = run.returncode == 0
            outputs = run.stdout.split(b"\n\x1e\n")[:-1]
            for text in outputs:
                try:
                    validator.validate(json.loads(text.decode("utf-8")))
                    texts += 1
                except (ValueError, jsonschema.ValidationError) as e:
                    print("seed", seed, "schema", i, json.dumps(s)[:2000], "\n  wrote", text[:500], "\n ", str(e)[:300])
                    good = False
                    break
            if not good and run.returncode:
                print("seed", seed, "schema", i, json.dumps(s)[:2000], run.returncode, run.stderr.decode())
            if not outputs:
                print("seed", seed, "schema", i, "no text came to an end", json.dumps(s)[:2000])
                good = False
            passed += good
            failed += not good
    for why, n in sorted(reasons.items(), key=lambda x: -x[1]):
        print(f"refused {n}: {why}")
    print(f"{texts} texts of {passed + failed} schemas are valid; {refused} schemas were refused")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or refused > count // 10)


main()
