"""The chat page in headless Chromium, over its debugging pipe: serve_page.py BUILD MODEL.mote SCREENSHOT_FOLDER

Asks the fixture an addition, sees the thought folded and the answer, stops a second answer halfway, reloads and finds the
conversation, edits and regenerates, and looks that what a model writes never becomes HTML. Screenshots at 1280 and 380 px."""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time

build, model, folder = sys.argv[1:4]
passed = failed = 0


def check(name, good, *show):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED:", name, *show)


class Browser:
    """Chromium's protocol: JSON messages with a NUL behind each, on descriptors 3 and 4."""

    def __init__(self, profile):
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()
        os.set_inheritable(to_browser, True)
        os.set_inheritable(from_browser, True)
        # The descriptors are moved to 3 and 4 by a shell, whatever numbers they have here.
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh", "chromium", "--headless", "--no-sandbox",
             "--disable-gpu", "--no-first-run", "--remote-debugging-pipe", "--user-data-dir=" + profile, "about:blank"],
            close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.held, self.number, self.session = b"", 0, None
        self.log = []
        self.open_tab()

    def open_tab(self):
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.held:
                self.held += os.read(self.read, 1 << 20)
            raw, self.held = self.held.split(b"\0", 1)
            answer = json.loads(raw)
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                if answer["params"].get("entry", {}).get("level") != "verbose":
                    self.log.append(json.dumps(answer["params"])[:400])
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def run(self, script):
        r = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in r, r
        return r["result"].get("value")

    def until(self, script, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if self.run(f"(() => {{ try {{ return Boolean({script}); }} catch {{ return false; }} }})()"):
                return True
            time.sleep(0.05)
        return False

    def size(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def shot(self, name):
        time.sleep(0.3)
        with open(f"{folder}/{name}.png", "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def key(self, key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                      **({"text": text} if text and kind == "keyDown" else {}))

    def say(self, text):
        self.run("document.getElementById('input').focus()")
        self.call("Input.insertText", text=text)
        self.key("Enter", 13, "\r")


def start(*models):
    server = subprocess.Popen([build + "/mote-serve", *models, "--port", "0", "-t", "2"], stderr=subprocess.PIPE,
                              text=True)
    return server, server.stderr.readline().split()[-1]


def main():
    server, url = start(model)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        broken = profile + "/broken.mote"
        with open(broken, "w", encoding="utf-8") as f:
            f.write("none")
        other, its = start(broken, model)
        b = Browser(profile)
        try:
            play(b, url)
            b.call("Page.navigate", url=its)
            check("a model that cannot be loaded says why",
                  b.until("document.getElementById('receipt').textContent.includes('broken.mote')") and
                  b.run("document.getElementById('model').textContent") == "mote",
                  b.run("document.getElementById('receipt').textContent"))
        finally:
            b.process.kill()
            b.process.wait()
            other.kill()
    server.terminate()
    check("the server ends", server.wait(60) == 0)


def play(b, url):
    idle = "running === null && document.getElementById('stop').hidden"
    b.size(1280, 800)
    b.call("Page.navigate", url=url)
    check("receipt", b.until("document.getElementById('receipt').textContent.includes('bits per weight')"),
          b.run("document.getElementById('receipt').textContent"), b.log)
    check("KL divergence", "KL divergence" in b.run("document.getElementById('receipt').textContent"))
    check("the field has the focus", b.run("document.activeElement.id") == "input")
    b.run("state.settings.temperature = 0")
    b.say("What is 478 + 256?")
    check("answers", b.until(idle + " && document.querySelectorAll('article').length === 2"))
    check("the answer", b.run("document.querySelector('article.assistant .text').textContent") == "478 + 256 = 734.",
          b.run("document.getElementById('log').textContent"))
    check("the thought is folded", b.run("document.querySelector('article.assistant details').open") is False and
          "ones: 8 + 6" in b.run("document.querySelector('article.assistant .thought').textContent"))
    check("tokens/s", re.search(r"\d+ tokens, \d+ tokens/s; prompt \d+", b.run("document.querySelector('.figures').textContent")))
    b.shot("page-1280")
    b.size(1280, 800, True)
    b.run("document.querySelector('article.assistant details').open = true")
    b.shot("page-1280-dark")
    b.size(380, 700)
    check("no sideways scrolling at 380", b.run("document.documentElement.scrollWidth") <= 380)
    b.shot("page-380")
    b.run("document.getElementById('menu').click()")
    check("the list of chats opens", b.run("getComputedStyle(document.getElementById('side')).display") == "block")
    b.shot("page-380-chats")
    b.run("document.getElementById('menu').click()")
    b.run("document.getElementById('open-settings').click()")
    check("settings fit", b.run("document.getElementById('settings').getBoundingClientRect().right") <= 380)
    b.shot("page-380-settings")
    b.key("Escape", 27)
    check("Escape closes them", b.run("document.getElementById('settings').open") is False)

    # A model that never ends: what it writes is long enough to be stopped.
    b.size(1280, 800)
    b.run("""const send_as_it_is = request; window.slow = true;
             request = (c) => ({...send_as_it_is(c), ...(window.slow ? {ignore_eos: true, logprobs: true, top_logprobs: 20} : {})})""")
    # Escape comes with the first sign of a thought, from within: this model writes its whole context in a few
    # hundredths of a second.
    b.run("""window.presser = new MutationObserver(() => { if (running && running.message.thought)
             document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true})); });
             presser.observe(document.body, {subtree: true, childList: true, characterData: true})""")
    b.say("What is 27 + 48?")
    ended = b.until(idle)
    if b.run("chat().messages[3].finish") == "length":
        print("too fast to be stopped: the answer was over before the page had shown its first sign")
    else:
        check("stopped halfway", ended and b.run("chat().messages[3].stopped") is True,
              b.run("JSON.stringify(chat().messages[3])"))
    b.run("presser.disconnect(); window.slow = false")
    b.run("""window.real = events; events = async function* (response) { yield {choices: [{delta: {reasoning_content: '.'}}]};
             await new Promise((go) => { window.go_on = go; }); yield* real(response); }""")
    b.run("[...document.querySelectorAll('button')].find((x) => x.textContent === 'Regenerate').click()")
    b.until("document.querySelector('article:last-child details').open = true")
    b.run("go_on(); events = real")
    check("regenerates", b.until(idle + " && chat().messages[3].content === '27 + 48 = 75.'"),
          b.run("JSON.stringify(chat().messages)"))
    check("a thought that is read stays open", b.run("document.querySelector('article:last-child details').open"))
    b.run("document.querySelectorAll('article.user')[1].querySelector('button').click()")
    b.run("document.querySelector('article textarea').value = 'What is 1 + 2?'")
    b.key("Enter", 13, "\r")
    check("edits", b.until(idle + " && chat().messages[2].content === 'What is 1 + 2?' && "
          "chat().messages[3].content.startsWith('1 + 2')"), b.run("JSON.stringify(chat().messages)"))

    b.run("state.settings.top_p = '0,9'; again(3)")
    check("a setting that is no number is refused by name", b.until(idle + " && "
          "document.querySelector('article:last-child .error').textContent.includes('top_p')"))
    b.run("state.settings.top_p = ' '; again(3)")
    check("an empty one is none", b.until(idle + " && chat().messages[3].content.startsWith('1 + 2')"),
          b.run("JSON.stringify(chat().messages)"))

    b.call("Page.reload")
    check("finds the conversation", b.until("document.querySelectorAll('article').length === 4 && "
          "document.querySelectorAll('article.assistant .text')[0].textContent === '478 + 256 = 734.'"))

    # A page that leaves with the first sign of an answer. (A stream that does not end stands for a slow model.)
    b.run("""events = async function* () { yield {choices: [{delta: {content: 'The first'}}]}; await new Promise(() => {}); }""")
    b.say("What is 5 + 6?")
    check("an answer under way", b.until("running && running.message.content === 'The first'"))
    edits = "[...document.querySelectorAll('article button')].filter((x) => x.textContent === 'Edit' && x.offsetParent).length"
    check("nothing to press that asks for another", b.run(edits) == 0)
    b.call("Page.reload")
    check("keeps what there was of it", b.until(idle + " && document.querySelector('article:last-child .text').textContent === "
          "'The first' && document.querySelector('article:last-child .tools').textContent.includes('stopped')") and
          b.run(edits) == 3)
    b.run("chat().messages.length = 4; save(); show()")

    # Two tabs: what one has said the other does not undo.
    first = b.session
    b.open_tab()
    b.call("Page.navigate", url=url)
    b.until("document.querySelectorAll('article').length === 4")
    b.run("document.getElementById('new').click()")
    b.say("What is 11 + 22?")
    check("a chat in a second tab", b.until(idle + " && chat().messages[1].content === '11 + 22 = 33.'"))
    second, b.session = b.session, first
    b.call("Page.bringToFront")
    check("is in the first one's list", b.until("document.querySelectorAll('#chats li').length === 2") and
          b.run("document.querySelectorAll('article').length") == 4)
    b.say("What is 5 + 6?")
    check("the first goes on", b.until(idle + " && chat().messages[5].content.endsWith('.')"), b.run("JSON.stringify(chat().messages)"))
    b.session = second
    check("and takes nothing away", b.until("state.chats.find((c) => c.messages.length === 6)") and
          b.run("JSON.parse(localStorage.getItem(STORE)).chats.map((c) => c.messages.length).join()") == "2,6")
    b.run("remove(state.current)")
    check("what is deleted", b.run("state.chats.length") == 1)
    b.session = first
    b.call("Page.bringToFront")
    check("is gone in both", b.until("state.chats.length === 1 && document.querySelectorAll('article').length === 6"))
    b.run("chat().messages.length = 4; save(); show()")

    # What a model might write
    evil = "# T\n<img src=x onerror=alert(1)> **b** `c` [x](javascript:alert(1)) [y](https://example.org/)\n- 1\n- 2\n```html\n<b>\n```"
    b.run("chat().messages[1].content = " + json.dumps(evil) + "; show()")
    text = "document.querySelectorAll('article.assistant .text')[0]"
    check("no element of the model's", b.run(text + ".querySelectorAll('img, script, b, iframe').length") == 0)
    check("no link but web links", b.run(f"[...{text}.querySelectorAll('a')].map((a) => a.href).join()") == "https://example.org/")
    check("markdown", b.run(f"[...{text}.children].map((x) => x.nodeName).join()") == "H3,P,UL,PRE",
          b.run(f"[...{text}.children].map((x) => x.nodeName).join()"))
    b.shot("page-markdown")
    b.run("chat().messages[1].content = " + json.dumps("```x``` `y` ``z``\n```c\n```d\n```\nend") + "; show()")
    check("fences and code within a line", b.run(f"[...{text}.querySelectorAll('code')].map((x) => x.textContent).join('|')") ==
          "x|y|z|```d" and b.run(f"{text}.lastChild.textContent") == "end", b.run(text + ".innerHTML"))
    check("everything that can be pressed has a name", b.run(
        "[...document.querySelectorAll('button, textarea, input, select')].filter((x) => !(x.textContent.trim() || "
        "x.getAttribute('aria-label') || x.labels.length)).length") == 0)
    log = [x for x in b.log if "400 (Bad Request)" not in x]
    check("no message on the console but of the setting", not log, log)


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
