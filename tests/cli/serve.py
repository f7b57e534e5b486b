"""A client of mote-serve with nothing but the standard library: serve.py BUILD WORK (with m.mote in it)."""
import base64
import concurrent.futures
import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

build, work = sys.argv[1:3]
model = work + "/m.mote"
passed = failed = 0


def check(name, good, *show):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED:", name, *show)


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([build + "/mote-serve", model, "--port", "0", "-t", "2", *options],
                                        stderr=subprocess.PIPE, text=True)
        self.line = self.process.stderr.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", self.line)
        self.port = int(found.group(1)) if found else 0

    def call(self, method, path, body=None, **headers):
        """Status, headers, the answer as JSON (or text)."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        try:
            return r.status, r.headers, json.loads(text)
        except ValueError:
            return r.status, r.headers, text

    def post(self, path, body, **headers):
        return self.call("POST", path, body, **headers)

    def stream(self, path, body):
        """The events of a stream: (event name or None, JSON or "[DONE]")."""
        status, headers, text = self.post(path, {**body, "stream": True})
        assert status == 200 and headers["Content-Type"] == "text/event-stream", text
        events = []
        for block in text.strip().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            data = lines["data"]
            events.append((lines.get("event"), data if data == "[DONE]" else json.loads(data)))
        return events

    def metric(self, name):
        return float(re.search(rf"^mote_{name} (\S+)$", self.call("GET", "/metrics")[2], re.M).group(1))

    def wait_for(self, what):
        for _ in range(600):
            if what():
                return True
            time.sleep(0.05)
        return False

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        rest = self.process.communicate(timeout=60)[1]
        return self.process.returncode, rest


def ask(text, **more):
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}


CHAT = "/v1/chat/completions"
s = Server()
check("listening", s.port > 0, s.line)
# All of 127/8 is this machine: who listens at an address listens at no other.
with socket.socket() as other:
    check("one address alone", other.connect_ex(("127.0.0.2", s.port)) != 0)
check("health", s.call("GET", "/health")[::2] == (200, {"status": "ok"}))
r = s.call("GET", "/v1/models")[2]["data"]
check("models", r[0]["id"] == "m" and s.call("GET", "/v1/models/m")[2] == r[0], r)
for path, status in (("/v1/models/m%6d", 404), ("/v1/models/", 404), ("/v1/models/%6d", 200)):
    check(path, s.call("GET", path)[0] == status)

# ---- chat, and the same as mote-run
status, _, r = s.post(CHAT, ask("What is 27 + 48?", return_token_ids=True))
c = r["choices"][0]
check("chat", status == 200 and c["message"]["content"] == "27 + 48 = 75." and c["finish_reason"] == "stop", r)
check("reasoning", c["message"]["reasoning_content"].startswith("Add 27 and 48."), r)
check("usage", r["usage"]["completion_tokens"] == len(c["token_ids"]) and
      r["usage"]["prompt_tokens"] == len(c["prompt_token_ids"]), r["usage"])
for seed, temperature in ((1, 0), (2, 1.3), (3, 0.7)):
    run = json.loads(subprocess.run([build + "/mote-run", model, "-p", "What is 27 + 48?", "--seed", str(seed),
                                     "--temp", str(temperature), "--top-p", "0.9", "--json", "-n", "60", "-t", "1",
                                     "--no-lookup"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    r = s.post(CHAT, ask("What is 27 + 48?", seed=seed, max_tokens=60, top_p=0.9, return_token_ids=True)
               | {"temperature": temperature})[2]["choices"][0]
    check(f"seed {seed} as mote-run", r["token_ids"] == run["ids"] and r["prompt_token_ids"] == run["prompt_ids"], r,
          run)

# ---- streaming
events = s.stream(CHAT, ask("What is 27 + 48?", stream_options={"include_usage": True}, logprobs=True, top_logprobs=3))
chunks = [e[1] for e in events[:-1]]
deltas = [x["choices"][0]["delta"] for x in chunks if x["choices"]]
check("stream", "".join(d.get("content") or "" for d in deltas) == "27 + 48 = 75." and events[-1][1] == "[DONE]")
check("stream thinks apart", "".join(d.get("reasoning_content") or "" for d in deltas) == c["message"]["reasoning_content"])
check("stream usage", chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] > 50, chunks[-1])
check("stream ends", chunks[-2]["choices"][0]["finish_reason"] == "stop")
scores = [t for x in chunks if x["choices"] and x["choices"][0]["logprobs"] for t in x["choices"][0]["logprobs"]["content"]]
check("a score for each token but the end", len(scores) == chunks[-1]["usage"]["completion_tokens"] - 1, len(scores))
check("greedy is the first of the top", all(t["top_logprobs"][0]["token"] == t["token"] and len(t["top_logprobs"]) == 3
                                            for t in scores))

# ---- settings
r = s.post(CHAT, ask("What is 27 + 48?", stop=["tens", " = 7", "zzz", "\n"], max_completion_tokens=500))[2]["choices"][0]
check("stop", r["finish_reason"] == "stop" and r["message"] == c["message"] | {"content": "27 + 48"}, r)
r = s.post("/v1/completions", {"prompt": "The sum of", "temperature": 0, "max_tokens": 100, "stop": "tens"})[2]["choices"][0]
check("the stop of a completion", r["finish_reason"] == "stop" and "ones" in r["text"] and "tens" not in r["text"], r)
r = s.post(CHAT, ask("What is 27 + 48?", max_tokens=5))[2]
check("max_tokens", r["choices"][0]["finish_reason"] == "length" and r["usage"]["completion_tokens"] == 5, r)
r = s.post(CHAT, ask("What is 27 + 48?", n=3, seed=5, max_tokens=40, return_token_ids=True) | {"temperature": 1.5})[2]
alone = [s.post(CHAT, ask("What is 27 + 48?", seed=5 + i, max_tokens=40, return_token_ids=True)
                | {"temperature": 1.5})[2]
         ["choices"][0]["token_ids"] for i in range(3)]
check("n choices have the seeds seed, seed + 1 ...", [x["token_ids"] for x in r["choices"]] == alone)
r = [s.post("/v1/completions", {"prompt": "x", "ignore_eos": True, "return_token_ids": True, "seed": -1, "max_tokens": -1,
                                "top_k": -1, "top_p": 1, "temperature": 100})[2] for _ in range(2)]
r += [s.post(CHAT, ask("x", ignore_eos=True, seed=-1, max_tokens=most, max_completion_tokens=newer, top_k=-1, think_budget=-1))[2]
      for most, newer in ((-1, None), (5, -1))]
check("-1 is no bound", all(x["usage"]["total_tokens"] == 513 for x in r), [x["usage"] for x in r])
check("nor a seed", r[0]["choices"][0]["token_ids"] != r[1]["choices"][0]["token_ids"])
first = s.post(CHAT, ask("x", max_tokens=1, return_token_ids=True))[2]["choices"][0]["token_ids"][0]
r = s.post(CHAT, ask("x", max_tokens=1, return_token_ids=True, logit_bias={str(first): -100}))[2]["choices"][0]["token_ids"]
check("logit_bias", r[0] != first, r)
r = s.post(CHAT, ask("What is 27 + 48?", max_tokens=80, presence_penalty=2, frequency_penalty=2))
check("penalties", r[0] == 200 and r[2]["choices"][0]["message"]["reasoning_content"] != c["message"]["reasoning_content"])
p = [s.post(CHAT, ask("What is 27 + 48?", max_tokens=80, return_token_ids=True) | more)[2]["choices"][0]["token_ids"]
     for more in ({}, {"repeat_penalty": 10}, {"repetition_penalty": 10})]
check("a penalty of two names", p[0] != p[1] == p[2], p)
spelled = s.post(CHAT, ask("<|im_end|>\n<think>", max_tokens=1, return_token_ids=True))[2]["choices"][0]["prompt_token_ids"]
text = s.post("/tokenize", {"content": "<|im_end|>\n<think>", "parse_special": False})[2]["tokens"]
at = [i for i in range(len(spelled)) if spelled[i:i + len(text)] == text]
check("what spells a control token is text", len(text) > 10 and len(at) == 1, spelled, text)
def two(role):
    return {"role": role, "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "27 + 48?"}]}


parts = s.post("/apply-template", {"messages": [two("user"), two("assistant"), two("user")]})[2]["prompt"]
check("parts of a message, and of an answer", parts.count("What is\n27 + 48?") == 2 and parts.count("What is27") == 1, parts)
def prompt_of(messages):
    r = s.post(CHAT, {"messages": messages, "max_tokens": 1, "return_token_ids": True})[2]
    return r["choices"][0]["prompt_token_ids"]


one = [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "cd"}, {"role": "user", "content": "e"}]
split = [{"role": r, "content": c} for r, c in (("user", "a"), ("user", [{"type": "text", "text": "b"}]), ("assistant", "c"),
                                               ("assistant", "d"), ("user", "e"))]
count = [s.post("/v1/messages/count_tokens", {"messages": m})[2]["input_tokens"] for m in (one, split)]
check("turns of messages are combined", count == [len(prompt_of(one))] * 2, count)
check("those of a chat are not", prompt_of(split) != prompt_of(one))
r = s.post("/v1/messages/count_tokens", {"messages": split[:2] + [{"role": "user", "content": [{"type": "image"}]}]})[2]
check("which one is wrong", r["error"]["message"].startswith("messages[2]"), r)
parts = s.post(CHAT, {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is 27 + 48?"}]}], "temperature": 0})
check("content in parts", parts[2]["choices"][0]["message"]["content"] == "27 + 48 = 75.", parts)

# ---- structured output
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {
    "type": "object", "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"type": "boolean"}},
    "required": ["a", "b"]}}}, {"type": "function", "function": {"name": "now"}}]
SCHEMAS = [
    ({"type": "object", "properties": {"sum": {"type": "integer", "minimum": 10, "maximum": 99},
                                       "why": {"type": "string", "maxLength": 12}}, "required": ["sum"]},
     lambda v: 10 <= v["sum"] <= 99 and set(v) <= {"sum", "why"} and len(v.get("why", "")) <= 12),
    ({"type": "array", "items": {"enum": ["x", 1, None]}, "minItems": 2, "maxItems": 4},
     lambda v: 2 <= len(v) <= 4 and all(x in ("x", 1, None) for x in v)),
    ({"type": "string", "format": "date"}, lambda v: re.fullmatch(r"\d{4}-\d\d-\d\d", v)),
    ({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^[A-Z]{2}\\d$"}]},
     lambda v: isinstance(v, bool) or re.fullmatch(r"[A-Z]{2}\d", v)),
    ({"$defs": {"n": {"type": "object", "properties": {"v": {"const": 1}, "n": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
                      "required": ["v", "n"]}}, "$ref": "#/$defs/n"}, lambda v: v["v"] == 1 and "n" in v)]


def shaped(i):
    schema, _ = SCHEMAS[i % len(SCHEMAS)]
    body = ask("What is 27 + 48?", seed=i, max_tokens=400, think_budget=10 + i, return_token_ids=True, top_p=1,
               response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}) | {"temperature": 1.5}
    return s.post(CHAT, body)[2]["choices"][0]


alone = [shaped(i) for i in range(5)]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    many = list(pool.map(shaped, range(25)))
check("schemas alone and beside others", [c["token_ids"] for c in alone] == [c["token_ids"] for c in many[:5]])
ends = [c["finish_reason"] for c in many]
check("schemas end", ends.count("stop") >= 22 and set(ends) <= {"stop", "length"}, ends)
for i, c in enumerate(many):
    if c["finish_reason"] == "stop":
        check(f"schema {i}", SCHEMAS[i % len(SCHEMAS)][1](json.loads(c["message"]["content"])), c["message"]["content"])
check("a thought before JSON", all(c["message"]["reasoning_content"] for c in many))
r = s.post(CHAT, ask("x", max_tokens=60, think_budget=5, grammar='root ::= "yes" | "no" [0-9]{3}'))[2]["choices"][0]
check("grammar", re.fullmatch(r"yes|no\d{3}", r["message"]["content"]) and r["finish_reason"] == "stop", r)
r = s.post("/v1/completions", {"prompt": "The sum", "max_tokens": 50, "seed": 1, "grammar": 'root ::= " is " [1-9]+ "."'})[2]
check("grammar of a completion", re.fullmatch(r" is [1-9]+\.?", r["choices"][0]["text"]), r)
turn = "What is 27 + 48?<|im_end|>\n<|im_start|>assistant\n"
r = s.post("/v1/completions", {"prompt": turn, "max_tokens": 300, "temperature": 0, "grammar": 'root ::= "yes" | "no"'})[2]
check("no thought within a completion's grammar", r["choices"][0]["text"] in ("yes", "no"), r)
r = s.post(CHAT, ask("x", max_tokens=40, think_budget=5, response_format={"type": "json_object"}))[2]["choices"][0]
check("json_object", r["message"]["content"].startswith("{"), r)
for kind in ("json_object", "json_schema"):
    form = {"type": kind, "schema": {"enum": [27]}}
    r = s.post(CHAT, ask("x", max_tokens=400, think_budget=5, response_format=form))[2]["choices"][0]
    check(f"{kind}, its schema beside", r["message"]["content"] == "27", r)
for choice in ("required", {"type": "function", "function": {"name": "add"}}):
    body = ask("x", max_tokens=400, think_budget=5, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    c = s.post(CHAT, body)[2]["choices"][0]
    call = (c["message"].get("tool_calls") or [{"function": {"name": None, "arguments": "{}"}}])[0]["function"]
    got = json.loads(call["arguments"])
    check(f"tool_choice {choice}", call["name"] == "now" or call["name"] == "add" and 0 <= got["a"] <= 99, c)
    check(f"named {choice}", isinstance(choice, str) or call["name"] == "add", c)
    events = s.stream(CHAT, body)
    deltas = [x[1]["choices"][0]["delta"] for x in events[:-1] if x[1]["choices"]]
    check(f"a stream of {choice}", [d["tool_calls"][0]["function"]["arguments"] for d in deltas if d.get("tool_calls")]
          == [call["arguments"]], deltas)
# what stands around a call, and white space before it
body = ask("x", max_tokens=400, think_budget=5, tools=TOOLS, grammar='root ::= "<tool_x> Hello \\n\\n<tool_call>{\\"name\\":'
           '\\"now\\"}</tool_call>bye now \\n"')
c = s.post(CHAT, body)[2]["choices"][0]["message"]
check("text around a call", c["content"] == "<tool_x> Hellobye now \n" and len(c["tool_calls"]) == 1, c)
deltas = [x[1]["choices"][0]["delta"] for x in s.stream(CHAT, body)[:-1]]
check("and in a stream", "".join(d.get("content", "") for d in deltas) == c["content"], deltas)
# what is a call and what stays text: (what the model says, what is left, the calls)
NOW = '{"name": "now", "arguments": {}}'
for said, left, calls in (
        ("a<tool_call>" + NOW, "a", [("now", "{}")]),
        ("<tool_call>\n%s\n<tool_call>%s</tool_call>" % (NOW, NOW), "", [("now", "{}")] * 2),
        ('<tool_call>{"name": "add", "arguments": {"t": "}</tool_call>\\"{"}}</tool_call>', "",
         [("add", '{"t":"}</tool_call>\\"{"}')]),
        ('<tool_call>{"name": "now", "arguments": null}</tool_call>', "", [("now", "{}")]),
        ('<tool_call>{"name": "now", "parameters": "{\\"a\\": 1.0}"}</tool_call>', "", [("now", '{"a": 1.0}')]),
        ("<tool_call>{now}</tool_call> <tool_call>%s</tool_call>b" % NOW, "<tool_call>{now}</tool_call>b", [("now", "{}")]),
        ("<tool_call>%s, then" % NOW, "<tool_call>%s, then" % NOW, []),
        ("<tool_call>" + NOW[:-1], "<tool_call>" + NOW[:-1], []),
        ("<tool_call>[%s, %s]" % (NOW, NOW), "", [("now", "{}")] * 2),
        ("<tool_call>[%s, 1]" % NOW, "<tool_call>[%s, 1]" % NOW, []),
        (' {"type": "function", "name": "add", "parameters": {"a": 1}}; ' + NOW, "", [("add", '{"a":1}'), ("now", "{}")]),
        ('[TOOL_CALLS] [{"name": "now", "arguments": {}, "id": "123456789"}]', "", [("now", "{}")]),
        ("<|tool_call|>[%s]<|/tool_call|>" % NOW, "", [("now", "{}")]),
        ("<tool_calls>\n[%s]\n</tool_calls>" % NOW, "", [("now", "{}")]),
        ('now{}\nadd[ARGS] {"a": [1]}', "", [("now", "{}"), ("add", '{"a":[1]}')]),
        ("Let me see. [TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]add{}", "Let me see.", [("now", "{}"), ("add", "{}")]),
        ("It is [TOOL_CALLS]then[ARGS]{}", "It is [TOOL_CALLS]then[ARGS]{}", []),
        ("now, then", "now, then", []),
        ('{"name": "then", "arguments": {}}', '{"name": "then", "arguments": {}}', []),
        ('{"name": "now"}', '{"name": "now"}', []),
        ("[%s, {}]" % NOW, "[%s, {}]" % NOW, []),
        (NOW + " is it", NOW + " is it", []),
        ("[1] now", "[1] now", [])):
    body = ask("x", max_tokens=400, think_budget=5, tools=TOOLS, grammar="root ::= " + json.dumps(said))
    c = s.post(CHAT, body)[2]["choices"][0]["message"]
    got = [(x["function"]["name"], x["function"]["arguments"]) for x in c.get("tool_calls", [])]
    check("calls in " + said, (c["content"] or "", got) == (left, calls), c)
    ids = [x["id"] for x in c.get("tool_calls", [])]
    check("their ids, as Mistral's templates want them", len(set(ids)) == len(calls) and
          all(re.fullmatch("[0-9A-Za-z]{9}", x) for x in ids), ids)
    deltas = [x[1]["choices"][0]["delta"] for x in s.stream(CHAT, body)[:-1]]
    got = [(x["function"]["name"], x["function"]["arguments"]) for d in deltas for x in d.get("tool_calls", [])]
    check("and streamed in " + said, ("".join(d.get("content", "") for d in deltas), got) == (left, calls), deltas)
body = ask("x", max_tokens=400, think_budget=5, tools=TOOLS, grammar="root ::= " + json.dumps("[%s, %s]" % (NOW, NOW)))
for parallel, n in ((None, 2), (True, 2), (False, 1)):
    c = s.post(CHAT, body | {"parallel_tool_calls": parallel})[2]["choices"][0]["message"]
    check(f"parallel_tool_calls: {parallel}", len(c["tool_calls"]) == n and c["content"] is None, c)
r = s.post("/v1/responses", {"input": "x", "temperature": 0, "max_output_tokens": 300, "text": {"format": {
    "type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"]}}}})[2]
check("responses of a schema", json.loads(r["output"][-1]["content"][0]["text"]) == {"n": 7}, r)

# ---- completions, scores of a prompt
r = s.post("/v1/completions", {"prompt": ["The sum of", "7 + 8"], "max_tokens": 4, "temperature": 0, "n": 2})[2]
check("completions of two prompts", len(r["choices"]) == 4 and r["choices"][0]["text"] == r["choices"][1]["text"], r)
body = {"prompt": "The sum of", "max_tokens": 20, "temperature": 0, "logprobs": 1}
whole = s.post("/v1/completions", body)[2]["choices"][0]["logprobs"]
parts = [e[1]["choices"][0]["logprobs"] for e in s.stream("/v1/completions", body)[:-1]]
check("scores of a stream", all([x for p in parts if p for x in p[key]] == whole[key] for key in whole), parts)
body = {"prompt": "<|im_start|>user\nWhat is 27 + 48?<|im_end|>\n<|im_start|>assistant\n", "max_tokens": 300, "temperature": 0, "logprobs": 0}
r = s.post("/v1/completions", body)[2]["choices"][0]
check("a completion's thought has its tags", r["text"].startswith("<think>\nAdd 27 and 48.") and "</think>\n27 + 48 =" in r["text"] and
      r["text"] == "".join(r["logprobs"]["tokens"]), r)
check("in a stream too", "".join(e[1]["choices"][0]["text"] for e in s.stream("/v1/completions", body)[:-1]) == r["text"])
cut = s.post("/v1/completions", body | {"stop": "</think>"})[2]["choices"][0]["text"]
check("and may end there", cut == r["text"].split("</think>")[0], cut)
text = open("tests/fixtures/adder/heldout.txt", encoding="utf-8").read()[:400]
r = s.post("/v1/completions", {"prompt": text, "max_tokens": 0, "echo": True, "logprobs": 2})[2]["choices"][0]
p = r["logprobs"]
check("echo", r["text"] == text and "".join(p["tokens"]) == text and p["token_logprobs"][0] is None, r["text"])
r = s.post("/v1/completions", {"prompt": "a\u00e91", "max_tokens": 0, "echo": True, "logprobs": 0})[2]["choices"][0]["logprobs"]
check("a character of two tokens is one", r["tokens"] == ["a", "\ufffd", "\ufffd", "1"] and
      r["text_offset"][:2] + r["text_offset"][3:] == [0, 1, 2], r)
check("what came is among the top ones", all(len(x) in (2, 3) and x[t] == l for x, t, l in
                                             zip(p["top_logprobs"][1:], p["tokens"][1:], p["token_logprobs"][1:])), p)
ids = s.post("/tokenize", {"content": text})[2]["tokens"]
again = s.post("/v1/completions", {"prompt": ids, "max_tokens": 1, "echo": True, "logprobs": 0, "temperature": 0})[2]
check("echo of ids, and one token more", again["choices"][0]["logprobs"]["token_logprobs"][:-1] == p["token_logprobs"]
      and len(again["choices"][0]["logprobs"]["tokens"]) == len(ids) + 1)
first = s.post("/v1/completions", {"prompt": [0, 505], "max_tokens": 1, "echo": True, "logprobs": 0, "return_token_ids": True})
check("the first and the last id of the vocabulary", first[0] == 200 and
      first[2]["choices"][0]["prompt_token_ids"] == [0, 505], first)
check("/detokenize", s.post("/detokenize", {"tokens": ids})[2]["content"] == text)

# ---- embeddings
r = s.post("/v1/embeddings", {"input": ["one marble", "one marble", "7 + 8 = 15"]})[2]["data"]
v = [x["embedding"] for x in r]
check("embeddings", v[0] == v[1] and math.isclose(sum(a * a for a in v[2]), 1, rel_tol=1e-5) and v[0] != v[2])
last = [s.post("/v1/embeddings", {"input": x, "pooling": "last"})[2]["data"][0]["embedding"]
        for x in ("one marble", "two marble")]
check("the last state", math.isclose(sum(a * a for a in last[0]), 1, rel_tol=1e-5) and last[0] != v[0]
      and last[0] != last[1])
r = s.post("/v1/embeddings", {"input": "one marble", "encoding_format": "base64"})[2]["data"][0]["embedding"]
raw = base64.b64decode(r)
check("base64", [struct.unpack("<f", raw[i:i + 4])[0] for i in range(0, len(raw), 4)] == v[0])

many = ["one marble"] * 2047 + ["7 + 8 = 15"]
r = s.post("/v1/embeddings", {"input": many})[2]["data"]
check("many embeddings", len(r) == 2048 and r[2046]["embedding"] == v[0] and r[2047]["embedding"] == v[2])
status, _, r = s.post("/v1/embeddings", {"input": many + ["x"]})
check("too many", status == 400 and "2048" in r["error"]["message"], r)

# ---- other dialects
m = {"messages": [{"role": "user", "content": "What is 27 + 48?"}], "max_tokens": 300, "temperature": 0,
     "system": "You add."}
r = s.post("/v1/messages", m)[2]
check("messages", r["type"] == "message" and r["content"][-1]["type"] == "text" and r["stop_reason"] == "end_turn", r)
turns = [s.post("/v1/messages", m | {"messages": m["messages"] + [{"role": "assistant", "content": c},
                                                                  {"role": "user", "content": "What is 1 + 2?"}]})[2]
         for c in (r["content"], r["content"][-1]["text"])]
check("an answer handed back", r["content"][0]["type"] == "thinking" and turns[0]["usage"] == turns[1]["usage"] and
      turns[0]["content"] == turns[1]["content"], turns)
events = s.stream("/v1/messages", m)
texts = "".join(e[1]["delta"]["text"] for e in events if e[0] == "content_block_delta" and "text" in e[1]["delta"])
thought = "".join(e[1]["delta"].get("thinking", "") for e in events if e[0] == "content_block_delta")
check("messages streamed", texts == r["content"][-1]["text"] and thought == r["content"][0]["thinking"] and
      events[0][0] == "message_start" and
      events[-1][0] == "message_stop", events[:2])
count = s.post("/v1/messages/count_tokens", {k: m[k] for k in ("messages", "system")})[2]
check("its tokens counted before", count == {"input_tokens": r["usage"]["input_tokens"]}, count, r["usage"])
for stops, found in ((["zzz", "48"], "48"), (["zzz", "tens"], None), ([" =", "8 =", "zzz"], "8 =")):
    r = s.post("/v1/messages", m | {"stop_sequences": stops})[2]
    check(f"stop sequence {found}", (r["stop_reason"], r["stop_sequence"]) == ("stop_sequence" if found else "end_turn", found), r)
n = {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": False}
r = s.post("/v1/messages", m | {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": n}}})[2]
check("messages of a schema", json.loads(r["content"][-1]["text"]) == {"n": 7} and r["stop_reason"] == "end_turn", r)
r = s.post("/v1/messages", m | {"output_config": {"format": {"type": "json_schema"}}})[2]["error"]
check("or of none", r["param"] == "output_config", r)
cut = m | {"max_tokens": 5}
r = s.post("/v1/messages", cut)[2]
blocks = [e[1]["content_block"]["type"] for e in s.stream("/v1/messages", cut) if e[0] == "content_block_start"]
check("cut within a thought", blocks == [x["type"] for x in r["content"]] == ["thinking"], r, blocks)
again = [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}] + r["content"]}, m["messages"][0]]
check("and handed back", s.post("/v1/messages", cut | {"messages": m["messages"] + again})[0] == 200)
m = {"input": "What is 27 + 48?", "temperature": 0}
r = s.post("/v1/responses", m)[2]
check("responses", r["status"] == "completed" and r["output"][-1]["content"][0]["text"] == "27 + 48 = 75.", r)
used = r["usage"]["output_tokens_details"]["reasoning_tokens"]
check("most of it a thought", 0.7 < used / r["usage"]["output_tokens"] < 1, r["usage"])
both = s.post(CHAT, ask("What is 27 + 48?", n=2))[2]["usage"]
check("of both choices of a chat", both["completion_tokens_details"]["reasoning_tokens"] == 2 * used, both)
events = s.stream("/v1/responses", m)
check("responses streamed", "".join(e[1]["delta"] for e in events if e[0] == "response.output_text.delta") == "27 + 48 = 75."
      and events[-1][1]["response"]["output"][-1]["content"] == r["output"][-1]["content"] and
      [e[1]["sequence_number"] for e in events] == list(range(len(events))), events[-1])
items = [e[1]["item"] for e in events if e[0] == "response.output_item.done"]
check("their items", items == events[-1][1]["response"]["output"] and len(items) == 2 and
      "".join(e[1]["delta"] for e in events if e[0] == "response.reasoning_text.delta") == items[0]["content"][0]["text"], items)
events = s.stream("/v1/responses", m | {"max_output_tokens": 5})
items = [e[1]["item"] for e in events if e[0] == "response.output_item.done"]
check("one that is cut", items == events[-1][1]["response"]["output"] and items[-1]["status"] == "incomplete", items)

# ---- thoughts between texts: everything in its turn, in a stream as in the whole
def in_turn(path, hot, parts):
    for seed in range(60):
        whole = parts(s.post(path, hot | {"seed": seed})[2])
        if [x[0] for x in whole[:3]] in (["message", "reasoning", "message"], ["text", "thinking", "text"]):
            return whole, s.stream(path, hot | {"seed": seed})
    return [], []


def outputs(r):
    return [(x["type"], x["content"][0]["text"]) for x in r["output"]]


HOT = {"temperature": 3, "top_p": 1}
whole, events = in_turn("/v1/responses", HOT | {"input": "x", "max_output_tokens": 400}, outputs)
items = [e[1]["item"] for e in events if e[0] == "response.output_item.done"]
check("responses in turn", whole and outputs(events[-1][1]["response"]) == whole and
      items == events[-1][1]["response"]["output"], whole, items)
check("with names of their own", len({x["id"] for x in items}) == len(items) > 2, items)
deltas = {x["id"]: "" for x in items}
for e in events:
    if e[0].endswith(".delta"):
        deltas[e[1]["item_id"]] += e[1]["delta"]
check("and texts", list(deltas.values()) == [x["content"][0]["text"] for x in items], deltas)
whole, events = in_turn("/v1/messages", HOT | {"messages": [{"role": "user", "content": "x"}], "max_tokens": 400},
                        lambda r: [(x["type"], x[x["type"]]) for x in r["content"]])
blocks = [[e[1]["content_block"]["type"], ""] for e in events if e[0] == "content_block_start"]
for e in events:
    if e[0] == "content_block_delta":
        blocks[e[1]["index"]][1] += e[1]["delta"].get("text", "") + e[1]["delta"].get("thinking", "")
check("messages in turn", whole and [tuple(x) for x in blocks] == whole, whole, blocks)

# ---- what a template gets of messages: calls without arguments have none, thoughts go by one name
shows = Server(work + "/shows/shows.mote")


def shown(message):
    r = shows.post("/apply-template", {"model": "shows", "messages": [message], "continue_final_message": False})[2]
    return json.loads(r["prompt"])[0][0]


for given, want in ((None, {}), ("", {}), ("{}", {}), ('{"a": 1.0}', {"a": 1.0}), ("[1]", "[1]"), ("x", "x"), ({"b": 2}, {"b": 2})):
    r = shown({"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {
        "name": "now", "arguments": given}}]})
    check(f"arguments {given!r}", r["tool_calls"][0]["function"] == {"name": "now", "arguments": want}, r)
r = shown({"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "now"}}]})
check("no arguments", r["tool_calls"][0]["function"] == {"name": "now", "arguments": {}}, r)
for more in ({"reasoning": "R"}, {"reasoning_content": "R"}, {"reasoning_content": "R", "reasoning": "S"}):
    r = shown({"role": "assistant", "content": "A"} | more)
    check(f"a thought as {list(more)}", r == {"role": "assistant", "content": "A", "reasoning_content": "R"}, r)
for more, want in (({}, [None, None]), ({"reasoning_effort": "none"}, [False, False]), ({"reasoning_effort": "low"}, [None, None]),
                   ({"reasoning_effort": "none", "chat_template_kwargs": {"thinking": True}}, [False, True])):
    r = shows.post("/apply-template", {"model": "shows", "messages": [{"role": "user", "content": "x"}]} | more)[2]
    check(f"whether to think: {more}", json.loads(r["prompt"])[1:] == want, r)
shows.stop()

# ---- an answer that has begun: chats and messages go on with it, responses do not
BEGUN = {"messages": [{"role": "user", "content": "What is 27 + 48?"}, {"role": "assistant", "content": "27 + 48 ="}]}


def prompt(body, **more):
    return s.post("/apply-template", body | more)[2].get("prompt")


cut = prompt(BEGUN)
new = cut + "<|im_end|>\n<|im_start|>assistant\n"
check("a prompt ends with it", cut.endswith("<|im_start|>assistant\n27 + 48 ="), cut)
check("as vLLM's clients ask for it", prompt(BEGUN, continue_final_message=True, add_generation_prompt=False) == cut)
check("or for a new turn", prompt(BEGUN, continue_final_message=False) == prompt(BEGUN, add_generation_prompt=True) == new)
check("an empty one is none", prompt({"messages": BEGUN["messages"][:1] + [{"role": "assistant", "content": ""}]}) ==
      prompt({"messages": BEGUN["messages"][:1]}))
check("calls are whole", prompt({"messages": [BEGUN["messages"][1] | {"tool_calls": [TOOLS[0]]}]}).endswith("=" + new[len(cut):]))
settings = {"temperature": 0, "max_tokens": 40}
r = s.post(CHAT, BEGUN | settings | {"return_token_ids": True})[2]["choices"][0]
more = s.post("/v1/completions", {"prompt": r["prompt_token_ids"], "return_token_ids": True} | settings)[2]["choices"][0]
check("it goes on", r["message"]["content"].startswith(" ") and r["token_ids"] == more["token_ids"] and
      r["message"]["content"] == more["text"], r, more)
events = s.stream(CHAT, BEGUN | settings)[:-1]
check("in a stream", "".join(e[1]["choices"][0]["delta"].get("content", "") for e in events) == r["message"]["content"])
check("messages go on", s.post("/v1/messages", BEGUN | settings)[2]["content"] ==
      [{"type": "text", "text": r["message"]["content"]}])
turn = s.post(CHAT, BEGUN | settings | {"continue_final_message": False})[2]["usage"]
r = s.post("/v1/responses", {"input": BEGUN["messages"], "temperature": 0, "max_output_tokens": 40})[2]["usage"]
check("responses begin a turn", r["input_tokens"] == turn["prompt_tokens"], r, turn)

# ---- null is what is not given
r = s.post(CHAT, ask("x", ignore_eos=True, max_tokens=3, max_completion_tokens=None))[2]
check("a limit beside null", r["usage"]["completion_tokens"] == 3, r["usage"])
check("what changes nothing here", s.post(CHAT, ask("x", max_tokens=1, verbosity="low", modalities=["text"], prediction={}))[0] == 200)
check("nor there", s.post("/v1/responses", {"input": "x", "max_output_tokens": 1, "max_tool_calls": 1,
                                            "stream_options": {"include_obfuscation": False}})[0] == 200)
check("what is null is not asked for", s.post(CHAT, ask("x", max_tokens=1, web_search_options=None, cache_prompt=True))[0] == 200)
check("an empty suffix is none", s.post("/v1/completions", {"prompt": "x", "max_tokens": 1, "suffix": ""})[0] == 200)
check("its own dimensions", len(s.post("/v1/embeddings", {"input": "x", "dimensions": 128})[2]["data"][0]["embedding"]) == 128)
check("null as a format", s.post("/v1/embeddings", {"input": "x", "encoding_format": None, "pooling": None})[0] == 200)

# ---- a NUL, which JSON's readers here end a text at
a, z = (s.post("/tokenize", {"content": x})[2]["tokens"] for x in "az")
with open("tests/fixtures/adder/tokenizer.json", encoding="utf-8") as f:
    vocab = json.load(f)["model"]["vocab"]
nul = vocab["\u0100"]
r = s.post("/detokenize", {"tokens": a + [nul] + z})[2]
check("a NUL in the middle", r["content"] == "a\ufffdz", r)
r = s.post("/v1/completions", {"prompt": a + [nul] + z, "max_tokens": 0, "echo": True, "logprobs": 0})[2]["choices"][0]
check("and in what is echoed", r["text"] == "a\ufffdz" and r["logprobs"]["tokens"] == ["a", "\ufffd", "z"], r)
for char, byte in (("\u0100", 0), ("\u00e2", 0xe2)):
    r = s.post(CHAT, ask("x", max_tokens=1, logprobs=True, top_logprobs=1, logit_bias={str(vocab[char]): 100}))[2]
    r = r["choices"][0]["logprobs"]["content"][0]
    check(f"the byte {byte} alone", r["token"] == "\ufffd" and r["bytes"] == [byte] and
          bytes(r["top_logprobs"][0]["bytes"]).decode() == r["top_logprobs"][0]["token"], r)

# ---- what is refused, and how it is said
def refused(name, want, path, body, parameter=None, code=None, **headers):
    status, _, r = s.post(path, body, **headers)
    e = r["error"] if isinstance(r, dict) and "error" in r else {}
    check(name, status == want and e.get("message") and e.get("param") == parameter and e.get("code") == code,
          status, r)


refused("no JSON", 400, CHAT, "{")
refused("a key twice", 400, CHAT, '{"n": 1, "n": 1}')
refused("no object", 400, CHAT, "[]")
refused("no messages", 400, CHAT, {}, "messages")
refused("texts as ids", 400, "/detokenize", {"tokens": ["a", "b"]}, "tokens")
refused("lists of ids", 400, "/detokenize", {"tokens": [[1], [2]]}, "tokens")
several = [{"type": "function", "function": {"name": "f", "arguments": json.dumps({"a": [1] * 200000})}}] * 2
refused("arguments without end", 400, CHAT, {"messages": [{"role": "assistant", "content": None, "tool_calls": several}]},
        "messages")
refused("an unknown name", 400, CHAT, ask("x", max_token=1), "max_token")
refused("a wrong role", 400, CHAT, {"messages": [{"role": "usr", "content": "x"}]}, "messages")
refused("scores of a response", 400, "/v1/responses", {"input": "x", "top_logprobs": 2}, "top_logprobs", "unsupported")
for key, value in (("functions", []), ("function_call", "none"), ("audio", {}), ("web_search_options", {}), ("modalities", ["text", "audio"])):
    refused(key, 400, CHAT, ask("x", **{key: value}), key, "unsupported")
refused("a stored prompt", 400, "/v1/responses", {"input": "x", "prompt": {"id": "p"}}, "prompt", "unsupported")
refused("other dimensions", 400, "/v1/embeddings", {"input": "x", "dimensions": 64}, "dimensions", "unsupported")
refused("a compressed body", 415, CHAT, b"\x1f\x8b", Content_Encoding="gzip")
for key, value in (("include", ["message.output_text.logprobs"]), ("previous_response_id", "resp_1"), ("conversation", "conv_1")):
    refused(key, 400, "/v1/responses", {"input": "x", key: value}, key, "unsupported")
refused("what is not stored", 400, "/v1/responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input",
        "unsupported")
refused("an image", 400, CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages",
        "unsupported")
for key, value in (("temperature", -1), ("top_p", 1.5), ("max_tokens", -2), ("max_tokens", -1.5), ("max_tokens", 10**12), ("n", 0), ("n", -1), ("top_k", -2),
                   ("n", 1000),
                   ("seed", -2), ("seed", 0.5), ("stop", ["a"] * 129), ("stop", ""), ("logit_bias", {"x": 1}),
                   ("logit_bias", {"99999": 1}), ("top_logprobs", 21), ("frequency_penalty", 3), ("stream", "yes"),
                   ("tools", {}), ("chat_template_kwargs", {"bos_token": "x"}), ("chat_template_kwargs", 1)):
    refused(f"{key} {str(value)[:20]}", 400, CHAT, ask("x", **({"logprobs": True} if key == "top_logprobs" else {}))
            | {key: value}, key)
refused("response_format", 400, CHAT, ask("x", response_format={"type": "json_schema"}), "response_format")
refused("no budget of a thought", 400, CHAT, ask("x", think_budget=0), "think_budget")
refused("a format", 400, CHAT, ask("x", response_format={"type": "xml"}), "response_format")
refused("a schema", 400, CHAT, ask("x", response_format={"type": "json_schema", "json_schema": {"schema": {"not": {}}}}),
        "response_format", "unsupported")
refused("a grammar", 400, CHAT, ask("x", grammar="root ::= ("), "grammar")
refused("two grammars", 400, CHAT, ask("x", grammar='root ::= "a"', response_format={"type": "json_object"}), "grammar")
refused("tool_choice", 400, CHAT, ask("x", tool_choice="required"), "tools")
refused("a choice", 400, CHAT, ask("x", tool_choice="some"), "tool_choice")
refused("a tool that is none", 400, CHAT, ask("x", tools=TOOLS, tool_choice={"type": "function", "function": {"name": "z"}}),
        "tools")
refused("too long", 400, CHAT, ask("1 + 1 " * 400), "messages", "context_length_exceeded")
refused("an empty prompt", 400, "/v1/completions", {"prompt": []}, "prompt")
refused("ids beyond the vocabulary", 400, "/v1/completions", {"prompt": [1, 506]}, "prompt")
refused("deep", 400, CHAT, "[" * 100000)
refused("nothing to go on with", 400, CHAT, ask("x", continue_final_message=True), "continue_final_message")
refused("both ends of a prompt", 400, CHAT, BEGUN | {"continue_final_message": True, "add_generation_prompt": True},
        "continue_final_message")
refused("no such path", 404, "/v1/nothing", "{}")
refused("another method", 405, "/health", "{}")
check("and says which", s.post("/health", "{}")[1]["Allow"] == "GET" and s.call("GET", CHAT)[1]["Allow"] == "POST")
refused("a model's name asks nothing", 405, "/v1/models/m", "{}")
refused("a name that is not ours", 403, CHAT, ask("x"), None, "host", Host="evil.example")
refused("a page of somebody else", 403, CHAT, ask("x"), None, "origin", Origin="https://evil.example")
refused("no origin that can be named", 403, CHAT, ask("x"), None, "origin", Origin="null")
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
          b"Content-Length: 9000000\r\n\r\n")
r = c.recv(1000)
check("a large body", r.startswith(b"HTTP/1.1 413") and b"Access-Control-Allow-Origin: http://localhost:3000" in r, r)
c.close()
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
for _ in range(9):
    c.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
c.sendall(b"0\r\n\r\n")
check("a large body in chunks", c.recv(1000).startswith(b"HTTP/1.1 413"))
c.close()
for extra, code in ((b"gzip, chunked", b"501"), (b"chunked\r\nContent-Length: 5", b"400")):
    c = socket.create_connection(("127.0.0.1", s.port))
    c.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + extra + b"\r\n\r\n0\r\n\r\n")
    r = b"".join(iter(lambda: c.recv(1000), b""))
    check(f"a body in two ways: {extra}", r.startswith(b"HTTP/1.1 " + code) and r.count(b"HTTP/1.1") == 1, r)
    c.close()
r = s.post("/v1/messages", {"messages": []})[2]
check("messages refuse in their own way", r["type"] == "error" and r["error"]["type"] == "invalid_request_error", r)
r = s.post("/v1/messages/count_tokens", {"messages": ask("x")["messages"], "tools": [{"name": "a"}]})[2]
check("and for a count", r["type"] == "error" and r["error"]["param"] == "tools" and r["error"]["code"] == "unsupported", r)
r = s.call("POST", CHAT, ask("x", max_tokens=1), Origin="http://localhost:3000")
check("a page of this machine", r[0] == 200 and r[1]["Access-Control-Allow-Origin"] == "http://localhost:3000")
check("preflight", s.call("OPTIONS", CHAT, Origin="http://localhost:3000")[0] == 204)
r = s.call("POST", CHAT, ask("x", max_tokens=1), Origin="http\t://localhost:3000")
check("an origin that no header can repeat", r[0] == 200 and "Access-Control-Allow-Origin" not in r[1])

# ---- the page
status, headers, page = s.call("GET", "/")
nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", headers["Content-Security-Policy"])
check("page", status == 200 and nonce and "default-src 'none'" in headers["Content-Security-Policy"])
check("nothing from elsewhere", not re.search(r"(src|href)=\"?https?:|@import|url\(", page)
      and "MOTE_NONCE" not in page)
props = s.call("GET", "/props")[2]
check("props", props["context_tokens"] == 512 and props["bits_per_weight"] > 8 and "receipt" in props, props)

# ---- tools
tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
check("tools go through the template", s.post(CHAT, ask("What is 27 + 48?", tools=[tool]))[0] == 200)

# ---- side by side: everyone gets what it gets alone
questions = [ask(f"What is {i + 11} + {i * 7}?", seed=i, max_tokens=100, return_token_ids=True) | {"temperature": 1}
             for i in range(8)]
alone = [s.post(CHAT, q)[2]["choices"][0]["token_ids"] for q in questions]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    together = [r[2]["choices"][0]["token_ids"] for r in pool.map(lambda q: s.post(CHAT, q), questions)]
check("eight at once as alone", alone == together)
r = s.post(CHAT, questions[0])[2]["usage"]
LOOP = ask("What is 27 + 48?", max_tokens=300, ignore_eos=True, return_token_ids=True)
run = subprocess.run([build + "/mote-run", model, "-p", "What is 27 + 48?", "--temp", "0", "--json", "-n", "300",
                      "--ignore-eos",
                      "--no-lookup"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
with concurrent.futures.ThreadPoolExecutor(3) as pool:
    loops = [x[2] for x in pool.map(lambda q: s.post(CHAT, q), [LOOP] * 3)]
check("with guesses as without", all(x["choices"][0]["token_ids"] == json.loads(run)["ids"] for x in loops))
check("and some came true", loops[0]["timings"]["guessed_right"] > 20, loops[0]["timings"])
check("a prefix is computed once", r["prompt_tokens_details"]["cached_tokens"] > 20, r)

# ---- clients that go away
LONG = ask("x", ignore_eos=True, max_tokens=400)


def leave(stream):
    c = socket.create_connection(("127.0.0.1", s.port))
    body = json.dumps(LONG | {"stream": stream}).encode()
    c.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
              + body)
    if stream:
        c.recv(100)
    c.close()


for stream in (True, False):
    for _ in range(6):
        leave(stream)
check("places are free again", s.wait_for(lambda: s.metric("places_busy") == 0 and s.metric("queue") == 0))
check("and slots say so", not any(x["is_processing"] for x in s.call("GET", "/slots")[2]))
half = socket.create_connection(("127.0.0.1", s.port))
half.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
for junk in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
    c = socket.create_connection(("127.0.0.1", s.port))
    c.sendall(junk)
    c.close()
check("answers after junk", s.post(CHAT, ask("What is 27 + 48?"))[2]["choices"][0]["message"]["content"] == "27 + 48 = 75.")
check("SIGTERM", s.stop() == (0, ""))
half.close()

# ---- what follows a body, a byte at a time
s = Server("--header-timeout", "1")
c = socket.create_connection(("127.0.0.1", s.port))
c.settimeout(0.2)
c.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ")
ended = False
for _ in range(60):
    try:
        c.sendall(b"x")
        ended = not c.recv(100)
    except TimeoutError:
        continue
    except OSError:
        ended = True
    if ended:
        break
check("a trailer without end", ended)
c.close()
s.stop()

# ---- keys, a full queue, time
with open(work + "/keys", "w", encoding="utf-8") as f:
    f.write("# keys\nsesame-open\n\nanother-key\n")
s = Server("--api-key-file", work + "/keys", "-np", "1", "--queue", "1", "--timeout", "1")
check("a key is needed", s.post(CHAT, ask("x"))[0] == 401 and s.call("GET", "/v1/models")[0] == 401)
r = s.call("GET", "/v1/models", Origin="http://localhost:3000")
check("a page may read that", r[0] == 401 and r[1]["Access-Control-Allow-Origin"] == "http://localhost:3000")
check("health and page need none", s.call("GET", "/health")[0] == 200 and s.call("GET", "/")[0] == 200)
check("a wrong key", s.post(CHAT, ask("x", max_tokens=1), Authorization="Bearer sesame-opem")[0] == 401)
check("a key", s.post(CHAT, ask("x", max_tokens=1), Authorization="Bearer sesame-open")[0] == 200)
check("another way to show it", s.post(CHAT, ask("x", max_tokens=1), X_Api_Key="another-key")[0] == 200)
codes, late = [], []


def flood():
    status, headers, r = s.post("/v1/completions", {"prompt": ["x"] * 64, "n": 2, "max_tokens": 400, "ignore_eos": True,
                                                    "logprobs": 5}, X_Api_Key="another-key")
    codes.append((status, headers.get("Retry-After"), r.get("error", {}).get("code")))


threads = [threading.Thread(target=flood) for _ in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
# (a fast machine may be done with one within its second, not with the one that waits for it)
check("a full queue", (429, "1", "queue_full") in codes and all(x[0] in (200, 429, 504) for x in codes), codes)
check("time is up", (504, None, "timeout") in codes, codes)
def embed_late():
    with open("tests/fixtures/adder/heldout.txt", encoding="utf-8") as f:
        long = f.read()
    inputs = [long[i:i + 400] for i in range(2048)]
    status, _, r = s.post("/v1/embeddings", {"input": inputs, "encoding_format": "base64"}, X_Api_Key="another-key")
    return status, r["error"]["code"] if status != 200 else None


r = embed_late() # (a fast machine may be done within its second)
check("time is up for embeddings, too", r in ((504, "timeout"), (200, None)), r)
check("SIGINT", s.stop(signal.SIGINT) == (0, ""))

# ---- the same log-probabilities as mote-perplexity, whose KV cache is f32
s = Server("-ctk", "f32", "-ctv", "f32")
with open(work + "/t.txt", "w", encoding="utf-8") as f:
    f.write(text)
subprocess.run([build + "/mote-perplexity", model, "-f", work + "/t.txt", "--all-positions", "--per-token",
                work + "/t.nll", "-t", "1"], stdout=subprocess.DEVNULL, check=True)
wanted = [(int(i), float(nll)) for i, nll in (line.split() for line in open(work + "/t.nll", encoding="utf-8"))]
p = s.post("/v1/completions", {"prompt": text, "max_tokens": 0, "echo": True, "logprobs": 2})[2]["choices"][0]["logprobs"]
check("scores are mote-perplexity's", [i for i, _ in wanted] == ids[1:] and
      all(math.isclose(-nll, x, rel_tol=1e-6, abs_tol=1e-9) for (_, nll), x in zip(wanted, p["token_logprobs"][1:])),
      wanted[:5], p["token_logprobs"][:6])

# ---- one of many prompts lets others in between
s.stop()
s = Server("-np", "1")
order = []
many = {"input": [text[i % 97:] for i in range(600)], "encoding_format": "base64"}
t = threading.Thread(target=lambda: (s.post("/v1/embeddings", many), order.append("many")))
t.start()
s.wait_for(lambda: s.metric("places_busy") == 1)
s.post(CHAT, ask("x", max_tokens=1))
order.append("one")
t.join()
check("one of many prompts lets others in between", order == ["one", "many"], order)

# ---- SIGTERM lets an answer end
answers = []
t = threading.Thread(target=lambda: answers.append(s.post(CHAT, LONG)))
t.start()
s.wait_for(lambda: s.metric("places_busy") == 1)
code = s.stop()
t.join()
check("an answer under way is finished", code == (0, "") and answers and answers[0][0] == 200, code, answers)

def started(command, **more):
    p = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more)
    return p, p.stderr.readline()


def ended(p):
    p.send_signal(signal.SIGTERM)
    return p.communicate(timeout=60)[1] == "" and p.returncode == 0


# ---- several models: loaded when they are asked for, the least used one leaves
os.mkdir(work + "/models")
for name in ("a", "b", "c"):
    os.symlink(model, f"{work}/models/{name}.mote")
with open(work + "/models/broken.mote", "w", encoding="utf-8") as f:
    f.write("none")
single = build + "/mote-serve"


def several(*options):
    s.process, s.line = started([single, "--port", "0", "-t", "1", *options])
    s.port = int(s.line.rsplit(":", 1)[1])


several("--models-dir", work + "/models")
refused("no JSON, for none of them", 400, CHAT, '{"model": "a"')
refused("a wrong value", 400, CHAT, ask("x", model="b", top_p=2), "top_p")
refused("a wrong message", 400, "/v1/messages", {"model": "b", "max_tokens": 1, "messages": [{"role": "x"}]}, "messages")
refused("no response", 400, "/v1/responses", {"model": "b", "input": 1}, "input")
check("none is loaded yet", s.metric("models_loaded") == 0 and s.call("GET", "/slots")[2] == [])
check("a list of them", [x["id"] for x in s.call("GET", "/v1/models")[2]["data"]] == ["a", "b", "broken", "c"])
asked = ask("What is 27 + 48?", max_tokens=80, return_token_ids=True)
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    answers = [x[2] for x in pool.map(lambda n: s.post(CHAT, asked | {"model": n}), "abcabc")]
check("each answers", [x["model"] for x in answers] == list("abcabc") and
      all(x["choices"][0]["token_ids"] == answers[0]["choices"][0]["token_ids"] for x in answers), answers)
check("streams too", s.stream(CHAT, asked | {"model": "b"})[0][1]["model"] == "b")
check("without a name, the first", s.post(CHAT, asked)[2]["model"] == "a" and s.post("/tokenize", {"content": "x"})[0] == 200)
check("all three are loaded", s.metric("models_loaded") == 3 and len(s.call("GET", "/slots")[2]) == 12)
refused("an unknown model", 404, CHAT, asked | {"model": "d"}, "model", "model_not_found")
refused("a broken one", 500, CHAT, asked | {"model": "broken"}, "model")
r = s.post("/v1/messages", {"model": "broken", "max_tokens": 1, "messages": ask("x")["messages"]})
check("in Anthropic's words", r[0] == 500 and r[2]["type"] == "error" and r[2]["error"]["type"] == "api_error", r)
refused("a model that is no text", 400, CHAT, {"model": 1}, "messages")
check("several end", ended(s.process))
several(model, "-np", "1")
need = sum(s.call("GET", "/props")[2][x] for x in ("file_bytes", "session_bytes"))
check("one ends", ended(s.process))
several(model, work + "/models/a.mote", work + "/models/b.mote", "--models-memory", str(need * 3 // 2), "-np", "1")
for name in "mabmab":
    check("one at a time", s.post(CHAT, asked | {"model": name})[2]["model"] == name and s.metric("models_loaded") == 1)
t = threading.Thread(target=lambda: s.post(CHAT, LONG | {"model": "a"}))
t.start()
s.wait_for(lambda: s.metric("places_busy") == 1)
status, _, r = s.post(CHAT, asked | {"model": "b"})
t.join()
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    took = list(pool.map(lambda n: s.post(CHAT, asked | {"model": n})[0], "mabmab" * 3))
check("they take turns", took == [200] * 18, took)
check("one in use does not leave", status == 200 or r["error"]["code"] == "models_busy", r)
check("then it does", s.post(CHAT, asked | {"model": "b"})[2]["model"] == "b")
check("several end", ended(s.process))
# what cannot be loaded costs the one that is nothing
small, gone = work + "/small.mote", work + "/gone.mote"
subprocess.run([build + "/mote-quantize", "-q", model, "-o", small, "--type", "q4", "--encoder", "round"], check=True)
several(small, model, work + "/models/broken.mote", gone, "--models-memory", str(need - 1), "-np", "1")
check("the small one fits", s.post(CHAT, asked | {"model": "small"})[0] == 200)
for name, message in (("broken", "broken.mote"), ("gone", "No such file")):
    status, _, r = s.post(CHAT, asked | {"model": name})
    check(f"{name} cannot be loaded", status == 500 and message in r["error"]["message"], status, r)
    check(f"and the other stays for {name}", [x["model"] for x in s.call("GET", "/slots")[2]] == ["small"])
check("larger than the limit", s.post(CHAT, asked | {"model": "m"})[0] == 200)
check("it is alone", [x["model"] for x in s.call("GET", "/slots")[2]] == ["m"])
check("several end", ended(s.process))
for options, message in (([], "a model is missing"), ([model, model], "two models of the name m"),
                         (["--models-dir", "tests"], "no file of it"),
                         (["--models-dir", work + "/none"], "No such file"),
                         ([model, work + "/models/a.mote", "-a", "x"], "single"),
                         ([work + "/models/broken.mote"], "broken.mote")):
    r = subprocess.run([single, "--port", "0", *options], stderr=subprocess.PIPE, text=True)
    check(f"refused: {options}", r.returncode in (1, 2, 3) and message in r.stderr, r)

# ---- what the model's makers ask for
shutil.copytree("tests/fixtures/adder", work + "/asking")
with open(work + "/asking/generation_config.json", "w", encoding="utf-8") as f:
    f.write('{"max_new_tokens": 3, "stop_strings": [" = 75"]}')
subprocess.run([build + "/mote-convert", "-q", work + "/asking", "-o", work + "/asking.mote"], check=True)
several(work + "/asking.mote")
check("their most tokens", s.post(CHAT, ask("What is 27 + 48?"))[2]["usage"]["completion_tokens"] == 3)
for stop in (None, ["zzz"]):
    r = s.post(CHAT, ask("What is 27 + 48?", max_tokens=300, stop=stop))[2]["choices"][0]
    check(f"their stop text beside {stop}", r["message"]["content"] == "27 + 48" and r["finish_reason"] == "stop", r)
for stops in (None, ["zzz"]):
    r = s.post("/v1/messages", ask("What is 27 + 48?", max_tokens=300, stop_sequences=stops))[2]
    check(f"which ends the turn beside {stops}", r["content"][-1]["text"] == "27 + 48" and r["stop_reason"] == "end_turn", r)
check("it ends", ended(s.process))

# ---- a socket at a path, and one that a service manager opened
def ask_unix(path):
    c = http.client.HTTPConnection("localhost")
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.connect(path)
    c.request("POST", CHAT, json.dumps(ask("What is 27 + 48?")))
    return json.loads(c.getresponse().read())["choices"][0]["message"]["content"]


path = work + "/socket"
left = socket.socket(socket.AF_UNIX)
left.bind(path)
left.close()
at_path = [build + "/mote-serve", model, "-t", "1", "--host", "unix:" + path]
p, line = started(at_path)
check("a socket at a path, where one was left", line == f"listening on unix:{path}\n", line)
check("it answers", ask_unix(path) == "27 + 48 = 75.")
r = subprocess.run(at_path, stderr=subprocess.PIPE, text=True)
check("it is not taken away", r.returncode == 1 and "somebody listens there already" in r.stderr, r)
check("and it goes", ended(p) and not os.path.exists(path))
r = subprocess.run(at_path[:-1] + ["unix:" + model], stderr=subprocess.PIPE, text=True)
no = subprocess.run([build + "/mote-serve", work + "/models/broken.mote", "--host", "unix:" + path],
                    stderr=subprocess.PIPE, text=True)
check("no model, no socket", no.returncode == 3 and not os.path.exists(path), no)
check("a file is no socket", r.returncode == 2 and os.path.exists(model), r)
with socket.socket() as passed_on:
    passed_on.bind(("127.0.0.1", 0))
    passed_on.set_inheritable(True)
    command = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"', build + "/mote-serve", model, "-t", "1"]
    give = {"preexec_fn": lambda: os.dup2(passed_on.fileno(), 3), "close_fds": False}
    p, line = started(command, **give)
    check("one that does not listen", p.wait(60) == 2 and "no socket that listens" in line, line)
    passed_on.listen()
    p, line = started(command, **give)
    check("a socket that was passed", line == f"listening on http://127.0.0.1:{passed_on.getsockname()[1]}\n", line)
s.port = int(line.rsplit(":", 1)[1])
check("it answers", s.post(CHAT, ask("What is 27 + 48?"))[2]["choices"][0]["message"]["content"] == "27 + 48 = 75.")
check("and ends", ended(p))

for options, message in ((["--api-key-file", model], "m.mote: "), (["--host", "256.1.1.1"], "256.1.1.1"),
                         (["-np", "0"], "-np 0: expected an integer from 1 to 64")):
    r = subprocess.run([build + "/mote-serve", model, "--port", "0", *options], stderr=subprocess.PIPE, text=True)
    check(f"refused: {options}", r.returncode in (1, 2, 3) and message in r.stderr, r)

print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
