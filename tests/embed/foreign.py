"""The shared library through ctypes: what a program in another language sees. foreign.py LIBRARY MODEL LOCALE, whose
decimal point is '#'"""
import ctypes as c
import json
import locale
import sys

lib = c.CDLL(sys.argv[1])


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 1000)]


class Chat(c.Structure):
    _fields_ = [("struct_bytes", c.c_size_t), ("messages", c.c_char_p), ("tools", c.c_char_p),
                ("variables", c.c_char_p), ("template_text", c.c_char_p), ("no_generation_prompt", c.c_int),
                ("now", c.c_int64)]


failed = 0


def check(good, what):
    global failed
    if not good:
        failed += 1
        print("failed:", what)


lib.mote_version.restype = c.c_char_p
lib.mote_lm_free.argtypes = [c.c_void_p]
check(lib.mote_version().count(b".") == 2, "a version of three numbers")

error, lm = Error(), c.c_void_p()
check(lib.mote_lm_open(b"/nonexistent.mote", None, c.byref(lm), c.byref(error)) == 1, "a missing file is an I/O error")
check(b"/nonexistent.mote" in error.message, "which names it")
check(lib.mote_lm_open(sys.argv[2].encode(), None, c.byref(lm), c.byref(error)) == 0, error.message)

text = c.c_void_p()
check(lib.mote_lm_metadata(lm, c.byref(text), c.byref(error)) == 0, error.message)
metadata = json.loads(c.string_at(text))
check("model" in metadata, "metadata is JSON")
lib.mote_lm_free(text)

# a user's text that spells a control token stays text
chat = Chat(c.sizeof(Chat), json.dumps([{"role": "user", "content": "<|im_end|> ü \U0001f600"}]).encode())
ids, n, bytes_ = c.POINTER(c.c_int32)(), c.c_size_t(), c.c_size_t()
check(lib.mote_lm_encode_chat(lm, c.byref(chat), c.byref(ids), c.byref(n), None, c.byref(error)) == 0, error.message)
check(n.value > 3, "a conversation has tokens")
check(lib.mote_lm_decode(lm, ids, n, 1, c.byref(text), c.byref(bytes_), c.byref(error)) == 0, error.message)
check("<|im_end|> ü \U0001f600" in c.string_at(text, bytes_.value).decode(), "text survives ids and back")
ends = sum(lib.mote_lm_is_end(lm, ids[i]) for i in range(n.value))
chat.messages = b'[{"role": "user", "content": "x"}]'
plain = c.POINTER(c.c_int32)()
check(lib.mote_lm_encode_chat(lm, c.byref(chat), c.byref(plain), c.byref(n), None, c.byref(error)) == 0, error.message)
check(ends == sum(lib.mote_lm_is_end(lm, plain[i]) for i in range(n.value)), "and became no control token")
lib.mote_lm_free(plain)
lib.mote_lm_free(ids)
lib.mote_lm_free(text)

# numbers have their point in a program of any locale
locale.setlocale(locale.LC_NUMERIC, sys.argv[3])
check(locale.localeconv()["decimal_point"] == "#", "the locale")
chat = Chat(c.sizeof(Chat), b'[{"role": "user", "content": "x", "part": 1.5}]', None, b'{"share": 0.25}',
            b"{{ 0.5 }} {{ share + 1.5 }} {{ messages[0].part }} {{ '2.5'|float }} {{ 3.14159|round(2) }} {{ '%.2f' % 2.5 }}")
check(lib.mote_lm_render(lm, c.byref(chat), c.byref(text), c.byref(bytes_), c.byref(error)) == 0, error.message)
check(c.string_at(text, bytes_.value) == b"0.5 1.75 1.5 2.5 3.14 2.50", c.string_at(text, bytes_.value))
lib.mote_lm_free(text)
check(lib.mote_lm_metadata(lm, c.byref(text), c.byref(error)) == 0 and json.loads(c.string_at(text)) == metadata,
      "the same metadata")
lib.mote_lm_free(text)
again = c.c_void_p()
check(lib.mote_lm_open(sys.argv[2].encode(), None, c.byref(again), c.byref(error)) == 0, error.message)
check(lib.mote_lm_metadata(again, c.byref(text), c.byref(error)) == 0 and json.loads(c.string_at(text)) == metadata,
      "the same metadata of a model opened there")
lib.mote_lm_free(text)
lib.mote_lm_close(again)
chat = Chat(c.sizeof(Chat))

# malformed requests are errors, not crashes
for messages in (b"", b"{", b"[1]", b'{"role": "user"}', b'[{"role": "user", "content": "\xff"}]'):
    chat.messages = messages
    check(lib.mote_lm_encode_chat(lm, c.byref(chat), c.byref(ids), c.byref(n), None, c.byref(error)) != 0, messages)
chat.struct_bytes = 0
check(lib.mote_lm_encode_chat(lm, c.byref(chat), c.byref(ids), c.byref(n), None, c.byref(error)) == 3,
      "a chat without size")

session = c.c_void_p()
check(lib.mote_lm_session_open(lm, None, c.byref(session), c.byref(error)) == 0, error.message)
logits = c.POINTER(c.c_float)()
one = (c.c_int32 * 3)(1, 2, 3)
check(lib.mote_lm_logits(session, one, 3, c.byref(logits), c.byref(error)) == 0, error.message)
check(logits[0] == logits[0], "logits are numbers")
first = logits[:8]
check(lib.mote_lm_logits(session, one, 2, c.byref(logits), c.byref(error)) == 0 and
      lib.mote_lm_logits(session, one, 3, c.byref(logits), c.byref(error)) == 0 and logits[:8] == first,
      "the same logits again, one id after the other")
one[2] = 1 << 30
check(lib.mote_lm_logits(session, one, 3, c.byref(logits), c.byref(error)) == 3, "no such id")
check(lib.mote_lm_logits(session, one, 0, c.byref(logits), c.byref(error)) == 3, "no ids")
lib.mote_lm_session_close(session)
lib.mote_lm_close(lm)
print(f"{0 if failed else 1} passed, {failed} failed")
sys.exit(failed != 0)
