"""The templates of template_goldens.json with random conversations, rendered by Jinja2 and by mote.

    template_random.py DRIVER FOLDER [COUNT [SEED]]
"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import template as differential  # noqa: E402

TEXTS = ["Hi", "", " padded ", "What is 2+2?", "<think>\nsum\n</think>\n\n4", "multi\nline\n\ntext\n",
         "Ünï \"quoted\" <|im_end|>", "日本語 😀",
         "a</think>b", "[INST] x [/INST]", "{{ not a template }}", "tab\tand \\ backslash"]


def arguments(pick):
    value = pick.choice([{"code": "print('x')"}, {"city": "Paris", "days": 3, "opts": {"unit": "C", "deep": [1, 2.5, None, True]}}, {},
                         {"text": "Ü\n\"q\"", "list": ["a", "b"]}])
    return json.dumps(value) if pick.random() < 0.3 else value


def call(pick, number):
    function = {"name": pick.choice(["ipython", "get_weather", "search"]), "arguments": arguments(pick)}
    return pick.choice([{"id": "call_%09d" % number, "type": "function", "function": function},
                        {"type": "function", "function": function},
                        {"id": "abcdefghi", **function}, {"function": function}])


def content(pick):
    text = pick.choice(TEXTS)
    kind = pick.random()
    if kind < 0.8:
        return text
    if kind < 0.95:
        return [{"type": "text", "text": pick.choice(TEXTS)}, pick.choice([{"type": "image"}, {"type": "text", "text": text},
                                                                          {"type": "image_url",
                                                                           "image_url": {"url": "u"}}])]
    return None


def message(pick, role, number):
    result = {"role": role, "content": content(pick)}
    if role == "assistant":
        if pick.random() < 0.3:
            result["tool_calls"] = [call(pick, number + i) for i in range(pick.randint(0 if pick.random() < 0.2 else 1, 2))]
            if pick.random() < 0.5:
                result["content"] = pick.choice(["", None, "calling"])
            if pick.random() < 0.1:
                del result["content"]
        if pick.random() < 0.3:
            result[pick.choice(["reasoning_content", "thinking", "reasoning"])] = pick.choice(TEXTS)
    if role == "tool":
        result.update({"name": "ipython", "tool_call_id": "call_%09d" % number} if pick.random() < 0.7 else {})
        if pick.random() < 0.2:
            result["content"] = pick.choice(["{\"a\": 1}", json.dumps([1, 2]), 5])
    return result


def parameters(pick):
    properties = {
        "city": {"type": "string", "description": "The city\nof it", "enum": ["Paris", "Rome"]},
        "days": {"type": pick.choice(["integer", "number", ["integer", "null"]]), "default": 3},
        "opts": {"type": "object", "properties": {"unit": {"type": "string"}}, "required": ["unit"]},
        "list": {"type": "array", "items": pick.choice([{"type": "string"}, {"type": "object", "properties": {"a": {"type": "boolean"}}}])},
        "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    chosen = {key: properties[key] for key in pick.sample(sorted(properties), pick.randint(0, 4))}
    return {"type": "object", "properties": chosen, "required": [key for key in chosen if pick.random() < 0.5]}


def tool(pick):
    function = {"name": pick.choice(["get_weather", "search"]), "description": pick.choice(TEXTS),
                "parameters": parameters(pick)}
    if pick.random() < 0.2:
        function["return"] = {"type": "string", "description": "what"}
    return {"type": "function", "function": function} if pick.random() < 0.9 else function


def context(pick):
    roles = (["system"] if pick.random() < 0.4 else []) + ["user"]
    for _ in range(pick.randint(0, 5)):
        roles.append({"user": "assistant", "system": "user", "tool": pick.choice(["assistant", "tool"]),
                      "assistant": pick.choice(["user", "user", "tool"])}[roles[-1]])
    if pick.random() < 0.1:
        pick.shuffle(roles)
    result = {"messages": [message(pick, role, number) for number, role in enumerate(roles)], "bos_token": "<s>",
              "eos_token": "</s>", "add_generation_prompt": pick.random() < 0.7}
    if pick.random() < 0.5:
        result["tools"] = pick.choice([None, [], [tool(pick) for _ in range(pick.randint(1, 3))]])
    for name, values in (("enable_thinking", [True, False]), ("thinking", [True, False]),
                         ("reasoning_effort", ["low", "high", None]),
                         ("documents", [[{"title": "T", "text": "body"}], [], None]), ("date_string", ["26 Jul 2024"]),
                         ("functions", ["[]"]), ("datetime", ["now"]),
                         ("builtin_tools", [["brave_search", "code_interpreter"]]),
                         ("add_generation_prompt", [True]), ("keep_past_thinking", [True]),
                         ("clear_thinking", [False])):
        if pick.random() < 0.15:
            result[name] = pick.choice(values)
    return result


def main():
    driver, folder = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 25
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with open(os.path.join(folder, "template_goldens.json"), encoding="utf-8") as file:
        templates = json.load(file)["templates"]
    options = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": False}
    cases = [(name, {"template": text, "context": context(random.Random("%d:%s:%d" % (seed, name, number))), **options})
             for name, text in sorted(templates.items()) for number in range(count)]
    run = subprocess.run([driver], input="".join(json.dumps(case) + "\n" for _, case in cases), capture_output=True,
                         encoding="utf-8", check=True)
    passed = failed = rendered = 0
    compiled = {}
    for (name, case), line in zip(cases, run.stdout.split("\n")):
        answer = json.loads(line)
        try:
            if name not in compiled:
                compiled[name] = differential.environment(case).from_string(case["template"])
            output = compiled[name].render(**case["context"])
        except Exception as error:  # whatever Python raises is an error of the template
            output, answer["jinja2"] = None, repr(error)
        rendered += output is not None
        if answer.get("output") == output:
            passed += 1
            continue
        failed += 1
        if failed <= 20:
            print("FAILED %s %s\n  jinja2 %r\n  mote   %r" % (name, json.dumps(case["context"]), output, answer))
    print("jinja2 renders %d of %d" % (rendered, len(cases)))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0 or not passed


sys.exit(main())
