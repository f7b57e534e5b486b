"""mote-serve under load: figures, a soak, and what hostile clients do. Nothing but the standard library.

    python3 tests/serve_load.py build/release MODEL.mote TEST... [-t THREADS] [-n REQUESTS]

speed   tokens/s of one client and of eight at once
gap     time between two tokens of a stream, alone and while a prompt of 2,000 tokens is computed beside it
prefix  time to the first token of a prompt of 1,000 tokens, and of a second one that begins alike
soak    n requests, some cut off, some malformed, some read slowly: memory, places, descriptors and failures
answers a chat, as a stream too, a completion and embeddings
models  requests for all models of the folder at once, of which as many stay loaded as this one's memory holds, and what
        asks for figures beside it
idle    a stream whose next event comes later than an idle connection is closed (125 s)
hostile slow headers and bodies, floods of headers, bodies at and over the limit, nested and repetitive JSON, invalid
        UTF-8, hundreds of connections half open: it answers on, and takes no more memory and descriptors afterwards
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

CHAT = "/v1/chat/completions"


class Server:
    def __init__(self, build, model, *options):
        self.build, self.model = build, model
        self.process = subprocess.Popen([build + "/mote-serve", "--port", "0", model, *options], stderr=subprocess.PIPE,
                                        text=True)
        line = self.process.stderr.readline()
        self.port = int(line.rsplit(":", 1)[1])

    def post(self, path, body, timeout=600):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        c.request("POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body))
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        c.request("GET", path)
        text = c.getresponse().read().decode()
        c.close()
        return text

    def metric(self, name):
        return float(re.search(rf"^mote_{name} (\S+)$", self.get("/metrics"), re.M).group(1))

    def times(self, body):
        """When a stream's events with text came, from its request on."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        began = time.monotonic()
        c.request("POST", "/v1/completions", json.dumps({**body, "stream": True}))
        r = c.getresponse()
        times = []
        for line in r:
            if line.startswith(b"data: {"):
                times.append(time.monotonic() - began)
        c.close()
        return times

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=600)

    def memory(self):
        """Resident KiB and open descriptors."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            kib = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        return kib, len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def quiet(self):
        for _ in range(600):
            if self.metric("places_busy") == 0 and self.metric("queue") == 0:
                return True
            time.sleep(0.1)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode == 0


def tokens(n, seed, vocab):
    r = random.Random(seed)
    return [r.randrange(10, vocab) for _ in range(n)]


def ask(prompt, n, **more):
    return {"prompt": prompt, "max_tokens": n, "temperature": 1, "top_p": 1, "seed": 1, "ignore_eos": True, **more}


def speed(s, vocab, _):
    def run(clients):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda i: s.post("/v1/completions", ask(tokens(16, i, vocab), 128, seed=i)), range(clients)))
        return clients * 128 / (time.monotonic() - began)

    run(1)
    pairs = [(run(1), run(8)) for _ in range(5)]
    one, eight = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    ratios = sorted(b / a for a, b in pairs)
    print(f"speed: one client {one:.1f} tokens/s, eight {eight:.1f}; ratio {ratios[2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def gap(s, vocab, _):
    def gaps(beside, seed):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            stream = pool.submit(s.times, ask(tokens(16, 1, vocab), 400))
            time.sleep(0.3)
            if beside:
                pool.submit(s.post, "/v1/completions", ask(tokens(2000, seed, vocab), 1)).result()
            t = stream.result()
        return [b - a for a, b in zip(t, t[1:])]

    for i in range(3):
        alone, beside = sorted(gaps(False, i)), sorted(gaps(True, i + 100))
        print(f"gap: alone median {1e3 * alone[len(alone) // 2]:.1f} ms, p99 {1e3 * alone[len(alone) * 99 // 100]:.1f}; "
              f"beside a prompt of 2,000: median {1e3 * beside[len(beside) // 2]:.1f}, p99 {1e3 * beside[len(beside) * 99 // 100]:.1f}")


def prefix(s, vocab, _):
    for i in range(3):
        first = s.times(ask(tokens(1000, 1000 + i, vocab) + [11, 12, 13], 2))[0]
        second = s.times(ask(tokens(1000, 1000 + i, vocab) + [14, 15, 16], 2))[0]
        print(f"prefix: first token after {1e3 * first:.0f} ms, of the second request after {1e3 * second:.0f} ms; "
              f"{first / second:.1f} times sooner")


HEADER_SECONDS = 2
QUESTION = {"messages": [{"role": "user", "content": "What is 27 + 48?"}], "temperature": 0, "max_tokens": 80}
MALFORMED = [b"{", b"[]", b"{}", b'{"messages": 1}', b'{"messages":[{"role":"user","content":"\xff\xfe"}]}', b"[" * 5000,
             b'{"messages":[{"role":"user","content":"x"}],"n":0}', b"\x00" * 100, b'{"a":1,"a":2}', b'{"":1}']


def one_request(s, i, wanted):
    """A well-formed request must be answered, and rightly; "failed" else."""
    r = random.Random(i)
    kind = r.randrange(10)
    if kind < 2:  # cut off
        body = json.dumps({**QUESTION, "stream": r.random() < 0.5, "ignore_eos": True, "max_tokens": 400}).encode()
        with s.connect() as c:
            c.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)))
            c.sendall(body[:r.randrange(len(body) + 1)] if kind == 0 else body)
            if kind == 1 and r.random() < 0.5:
                c.recv(300)
        return "cut"
    if kind == 2:
        return "refused" if s.post(CHAT, r.choice(MALFORMED))[0] == 400 else "failed"
    if kind == 3:  # reads slowly
        body = json.dumps({**QUESTION, "stream": True}).encode()
        with s.connect() as c:
            c.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                      % (CHAT.encode(), len(body)) + body)
            text = b""
            while True:
                part = c.recv(700)
                if not part:
                    break
                text += part
                time.sleep(0.001)
        if b" 429 " in text[:20]:
            return "busy"
        return "answered" if b"data: [DONE]" in text else "failed"
    status, text = s.post(CHAT, QUESTION)
    if status == 429:
        return "busy"
    return "answered" if status == 200 and json.loads(text)["choices"][0]["message"] == wanted else "failed"


def soak(s, _, n):
    wanted = json.loads(s.post(CHAT, QUESTION)[1])["choices"][0]["message"]
    counts, good = {}, True
    for part in range(10):
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            for what in pool.map(lambda i: one_request(s, i, wanted), range(part * n // 10, (part + 1) * n // 10)):
                counts[what] = counts.get(what, 0) + 1
        good &= s.quiet()
        time.sleep(0.2)
        kib, descriptors = s.memory()
        if part == 1:
            first = kib, descriptors
        print(f"soak: {(part + 1) * n // 10} requests, {kib} KiB, {descriptors} descriptors, {counts}", flush=True)
    good &= not counts.get("failed") and descriptors <= first[1] + 2 and kib < first[0] * 1.1 + 4096
    print("soak:", "flat memory, no lost place, no failed request" if good else "FAILED")
    return good


def answers(s, vocab, _):
    question = {**QUESTION, "max_tokens": 200}
    chat = json.loads(s.post(CHAT, question)[1])["choices"][0]["message"]["content"]
    parts = [json.loads(line[6:]) for line in s.post(CHAT, {**question, "stream": True})[1].decode().splitlines()
             if line.startswith("data: {")]
    streamed = "".join(c["delta"].get("content") or "" for p in parts for c in p["choices"])
    ended = json.loads(s.post("/v1/completions", ask(tokens(16, 1, vocab), 8))[1])["usage"]["completion_tokens"]
    rows = json.loads(s.post("/v1/embeddings", {"input": ["What is 1 + 2?", "What is 2 + 1?"]})[1])["data"]
    good = chat and chat == streamed and ended == 8 and len(rows) == 2 and all(r["embedding"] for r in rows)
    print("answers:", "as asked" if good else f"FAILED: {chat!r}, {streamed!r}, {ended}, {len(rows)}")
    return good


def models(s, _, n):
    options = ["-t", "2", "-np", "2", "-c", "128"]
    own = Server(s.build, s.model, *options)
    props = json.loads(own.get("/props"))
    good = own.stop()
    own = Server(s.build, "--models-dir", os.path.dirname(s.model), "--models-memory",
                 str(props["file_bytes"] + props["session_bytes"]), *options)
    names = [m["id"] for m in json.loads(own.get("/v1/models"))["data"]]
    body = {**QUESTION, "max_tokens": 12}
    wanted = {name: own.post(CHAT, {**body, "model": name}) for name in names}

    def one(i):
        if i % 4 == 0:
            return bool([own.get(path) for path in ("/metrics", "/slots", "/v1/models")])
        name = names[i % len(names)]
        status, text = own.post(CHAT, {**body, "model": name})
        return status in (429, 503) or status == wanted[name][0] and (
            status != 200 or json.loads(text)["choices"] == json.loads(wanted[name][1])["choices"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bad = list(pool.map(one, range(n))).count(False)
    good &= not bad and own.metric("models_loaded") >= 1 and [w[0] for w in wanted.values()].count(200) > 1
    good &= own.stop()
    print("models:", f"{n} requests to {len(names)} models" if good else f"FAILED: {bad} bad, {wanted}")
    return good


def idle(s, vocab, _):
    c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=600)
    c.request("POST", "/v1/completions", json.dumps(ask(tokens(16, 1, vocab), 300, n=16, stream=True)))
    r = c.getresponse()
    s.process.send_signal(signal.SIGSTOP)
    time.sleep(125)
    s.process.send_signal(signal.SIGCONT)
    try:
        good = r.read().endswith(b"data: [DONE]\n\n")
    except http.client.HTTPException:
        good = False
    print("idle:", "a stream that pauses for two minutes goes on" if good else "FAILED: it is cut off")
    return good


def status_of(c):
    try:
        text = c.recv(100)
    except OSError:
        return 0
    return int(text.split()[1]) if text.startswith(b"HTTP/1.1 ") else 0


def send(s, head, body=b""):
    """A request in bytes; the status that comes, 0: the connection was closed."""
    with s.connect() as c:
        try:
            c.sendall(head)
            for i in range(0, len(body), 1 << 16):
                c.sendall(body[i:i + (1 << 16)])
        except OSError:
            pass
        return status_of(c)


def posted(s, body):
    return send(s, b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)),
                body)


def hostile(s, _, n):
    def answers():
        return s.post(CHAT, QUESTION)[0] == 200

    good = answers()
    before = s.memory()
    limit = 8 << 20
    head = b'{"messages":[{"role":"user","content":"'
    tests = {
        "a body at the limit": (posted(s, head + b"a" * (limit - len(head) - 4) + b'"}]}'), (400,)),
        "a byte more": (posted(s, b" " * (limit + 1)), (413,)),
        "said to be enormous": (send(s, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"), (400, 404, 413, 0)),
        "nested": (posted(s, b'{"messages":' + b"[" * 1000000), (400,)),
        "nested objects": (posted(s, b'{"a":' * 200000), (400,)),
        "a million numbers": (posted(s, b'{"logit_bias":[' + b"1," * 1000000 + b"1]}"), (400,)),
        "a million names": (posted(s, b"{" + b",".join(b'"k%d":1' % i for i in range(300000)) + b"}"), (400,)),
        "no UTF-8": (posted(s, head + b"\xc0\xaf\xed\xa0\x80" + b'"}]}'), (400,)),
        "a NUL": (posted(s, head + b"\\u0000" + b'"}]}'), (400,)),
        "a header of 1 MB": (send(s, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000000 + b"\r\n\r\n"),
                             (413, 414, 431, 400, 0)),
        "10,000 headers": (send(s, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 10000 + b"\r\n"),
                           (413, 431, 400, 0)),
        "a path of 1 MB": (send(s, b"GET /" + b"a" * 1000000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                           (414, 431, 400, 0)),
    }
    for name, (got, wanted) in tests.items():
        if got not in wanted:
            print(f"hostile: {name}: status {got}")
            good = False
    good &= answers()
    # Half-open connections: headers that never end, bodies that drip. Those beyond the server's number are closed.
    held = []
    for i in range(min(n, 200)):
        c = s.connect()
        c.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % CHAT.encode() + (b"Content-Length: 100\r\n\r\n{" if i % 2 else b"X: "))
        held.append(c)
    if not answers():
        print("hostile: no answer beside half-open connections")
        good = False
    many = s.memory()
    # Who sends a header a byte at a time is shown out.
    with s.connect() as c:
        c.sendall(b"GET /health HTTP/1.1\r\n")
        for _ in range(10 * HEADER_SECONDS + 80):
            try:
                c.sendall(b"X")
                if select.select([c], [], [], 0.1)[0] and c.recv(100) == b"":
                    break
            except OSError:
                break
        else:
            print("hostile: a header that drips holds its connection")
            good = False
    for c in held:
        c.close()
    for _ in range(100):
        after = s.memory()
        if after[1] <= before[1] + 1:
            break
        time.sleep(0.1)
    print(f"hostile: KiB and descriptors before {before}, with {len(held)} connections half open {many}, after {after}")
    if after[1] > before[1] + 1 or many[0] > before[0] + 64 * 1024 + len(held) * 256:
        print("hostile: more memory or descriptors than before")
        good = False
    good &= answers() and s.quiet()
    print("hostile:", "it answers on" if good else "FAILED")
    return good


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("model")
    p.add_argument("tests", nargs="+", choices=["speed", "gap", "prefix", "soak", "answers", "models", "idle",
                                                     "hostile"])
    p.add_argument("-t", type=int, default=2)
    p.add_argument("-n", type=int, default=10000)
    p.add_argument("--header-seconds", type=int, default=2, help="that a client has for its headers; more where all is slow")
    p.add_argument("--no-memory", action="store_true", help="do not compare how much memory is taken")
    a = p.parse_args()
    if a.no_memory:
        Server.memory = lambda s: (0, len(os.listdir(f"/proc/{s.process.pid}/fd")))
    global HEADER_SECONDS
    HEADER_SECONDS = a.header_seconds
    s = Server(a.build, a.model, "-t", str(a.t), "-np", "8", "--header-timeout", str(HEADER_SECONDS))
    vocab = json.loads(s.get("/props"))["vocab"]
    good = True
    for test in a.tests:
        good &= globals()[test](s, vocab, a.n) is not False
    good &= s.stop()
    sys.exit(not good)


main()
