"""For sweep.py: what a server is asked while its calls to the system fail, and which answers are right.

An answer is right, or it says that it is the server's fault (5xx, or an error in the stream), or there is none.
"""
import http.client
import json
import mmap
import os
import re
import signal
import struct
import subprocess

LIMIT_SECONDS = 600  # of a clock, on a machine that does other things as well
TIME_FIGURES = {"seconds", "speed", "timings", "load_ms", "first_token_ms"}  # what no two runs have in common
NO_TWICE = {"id", "created", "created_at", "item_id", "cached_tokens", "date", "content-length"} | TIME_FIGURES  # nor two answers
CHAT, TEXT, STREAM = "/v1/chat/completions", "/v1/completions", {"stream": True}
QUESTION = {"messages": [{"role": "user", "content": "What is 1 + 2?"}], "temperature": 0, "max_tokens": 16}
SCHEMA = {"type": "object", "properties": {"n": {"enum": [7]}, "w": {"type": "string", "maxLength": 3}}, "required": ["n", "w"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
TOOLS = {**QUESTION, "max_tokens": 200, "think_budget": 2, "parallel_tool_calls": False, "tools": [
    {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"enum": [1, 2]}},
                                                                    "required": ["a"]}}}]}
CALL = {**TOOLS, "tool_choice": "required"}
AROUND = {**TOOLS, "grammar": 'root ::= "One. <tool_call>{\\"name\\":\\"add\\"}</tool_call>Two."'}
SHORT = {"input": "What is 1 + 2?", "temperature": 0, "max_output_tokens": 8}
# Asked by the job serve, whose server is started for each fault
FEW = [(CHAT, QUESTION), ("/v1/embeddings", {"input": "What is 1 + 2?"}), (CHAT, {**QUESTION, **STREAM})]
# By the job requests: one server, in which each request's allocations fail, one after another
MANY = [(TEXT, {"prompt": [5], "temperature": 0, "max_tokens": 1}),
        (CHAT, CALL), (CHAT, {**CALL, **STREAM}), (CHAT, AROUND), (CHAT, {**AROUND, **STREAM}),
        (CHAT, {**QUESTION, "max_tokens": 40, "think_budget": 2, "response_format": FORMAT}),
        (CHAT, {**QUESTION, "think_budget": 2, "response_format": {"type": "json_object"}, **STREAM}),
        (TEXT, {"prompt": "The sum", "temperature": 0, "max_tokens": 8, "grammar": 'root ::= " is " [1-9]+ "."'}),
        (CHAT, {**QUESTION, "logprobs": True, "top_logprobs": 2, "stop": ["zzz", "0 0"], "n": 2, "seed": 5,
                "return_token_ids": True, "logit_bias": {"7": 1}}),
        (TEXT, {"prompt": ["What is", "1 + 2"], "max_tokens": 6, "temperature": 0, "echo": True, "logprobs": 2}),
        (CHAT, {**QUESTION, "logprobs": True, "stop": "2.", **STREAM, "stream_options": {"include_usage": True}}),
        (TEXT, {"prompt": [5, 6, 7], "max_tokens": 8, "temperature": 0, "logprobs": 1, **STREAM}),
        ("/v1/messages", {**QUESTION, "system": "You add.", "stop_sequences": ["0 0"]}),
        ("/v1/messages", {**QUESTION, "max_tokens": 8, **STREAM}),
        ("/v1/responses", SHORT), ("/v1/responses", {**SHORT, **STREAM}),
        ("/v1/embeddings", {"input": ["one", "two"], "encoding_format": "base64"}), ("/tokenize", {"content": "What is 1 + 2?"}),
        ("/detokenize", {"tokens": [5, 6, 7]}), ("/apply-template", {"messages": QUESTION["messages"]}),
        ("/v1/models", None), ("/props", None), ("/slots", None), ("/metrics", None), ("/", None)]
NEVER = 1 << 60


def without(value, keys):
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items() if k not in keys}
    return [without(v, keys) for v in value] if isinstance(value, list) else value


def leaves(value, key, into):
    """The texts and fractions of a tree, by their keys: texts joined, as how an answer is cut into events depends on what the client
    had read."""
    if isinstance(value, str):
        into[key] = into.get(key, "") + value
    elif isinstance(value, dict):
        for k, v in value.items():
            leaves(v, k, into)
    elif isinstance(value, list):
        for v in value:
            leaves(v, key, into)
    elif isinstance(value, float):
        into.setdefault(key, []).append(value)
    return into


def of_stream(text):
    """What a stream says in all; None: an error, or no end."""
    events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    parsed = [json.loads(e) for e in events if e != "[DONE]"]
    if any(e.get("error") or e.get("type") == "error" for e in parsed):
        return None
    last = events[-1] if events else ""
    ends = ("message_stop", "response.completed", "response.incomplete")
    if last != "[DONE]" and (not parsed or parsed[-1].get("type") not in ends):
        return None
    return leaves(without(parsed, NO_TWICE | {"object", "type", "model", "role"}), "", {})


def ask(port, path, body):
    """Headers and answer without what differs from one to the next; None: an error of the server's, or no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        headers = sorted((name.lower(), re.sub("[0-9a-f]{32}", "NONCE", value)) for name, value in answer.getheaders()
                         if name.lower() not in NO_TWICE)
    except (OSError, http.client.HTTPException) as failed:
        if isinstance(failed, TimeoutError):
            raise subprocess.TimeoutExpired(path, LIMIT_SECONDS) from failed
        return None
    finally:
        connection.close()
    if answer.status >= 500:
        return None
    if answer.status >= 400:  # it says that who asks is to blame
        return ["refused", answer.status, text]
    if body and body.get("stream"):
        said = of_stream(text)
        return said and [headers, said]
    if path == "/metrics":
        return [headers, re.sub(" [0-9.e+-]+\n", " N\n", text)]
    return [headers, re.sub("[0-9a-f]{32}", "NONCE", text) if path == "/" else without(json.loads(text), NO_TWICE | {"request"})]


def without_warnings(err):
    """What a program said, not what LeakSanitizer says of itself."""
    return b"".join(line for line in err.splitlines(True) if not line.startswith(b"Warning: REAL("))


def start(command, env):
    """The process, its first line and its port, or None."""
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while without_warnings(line := process.stderr.readline()) != line:
        pass
    return process, line, int(line.rsplit(b":", 1)[1]) if line.startswith(b"listening on ") else None


def end(process):
    try:
        return process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def serve(command, env):
    """What a server answered and how it ended, as of subprocess.run()."""
    process, line, port = start(command, env)
    answers = []
    try:
        if port:
            answers = [ask(port, *request) for request in FEW]
            process.send_signal(signal.SIGTERM)
        out, err = end(process)
    finally:
        process.kill()
    out += json.dumps({"answers": answers}).encode()
    return subprocess.CompletedProcess(command, process.returncode, out, line + err)


def same(out, right):
    """Whether an output is right: of a server's answers one may be missing."""
    if not isinstance(right, dict) or "answers" not in right:
        return out == right
    pairs = list(zip(out["answers"], right["answers"], strict=True))
    return all(a in (None, b) for a, b in pairs) and sum(a is None for a, _ in pairs) <= 1


def sweep_requests(name, command, shim, d, choose):
    """Each allocation of each request fails, as far as choose(how many there are) says: how many runs, what is wrong."""
    aim = os.path.join(d, "aim")
    open(aim, "wb").write(bytes(8))
    with open(aim, "r+b") as file, mmap.mmap(file.fileno(), 8) as at:
        process, _, port = start(command, dict(os.environ, LD_PRELOAD=shim, LC_ALL="C.UTF-8", MOTE_FAULT_AIM=aim))
        points, wrong = 1, []

        def asked(request, k):
            """The answer, and how many allocations it took; the k-th fails."""
            at[:] = struct.pack("q", k)
            answer = ask(port, *request)
            left, = struct.unpack("q", at[:])
            at[:] = bytes(8)
            return answer, k - left

        try:
            for request in MANY if port else []:
                right, count = asked(request, NEVER)
                if right is None or isinstance(right, list) and "refused" in right:
                    wrong.append("%s: %s: no answer without a fault: %.300s" % (name, request, right))
                for k in choose(count):
                    answer, _ = asked(request, k)
                    points += 1
                    if answer not in (None, right):
                        wrong.append("%s: %s, alloc %d of %d: %.300s instead of %.300s" % (name, request, k, count, answer, right))
                if asked(request, NEVER)[0] != right:
                    wrong.append("%s: %s: not the same behind all faults" % (name, request))
            process.send_signal(signal.SIGTERM)
            _, err = end(process)
        finally:
            process.kill()
    if process.returncode or not port:
        wrong.append("%s: exit code %s: %s" % (name, process.returncode, err.decode("utf-8", "replace")))
    return points, wrong
