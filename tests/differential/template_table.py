"""Writes tests/templates.json: a table of small templates and what Jinja2 renders of them, which make check goes by
where there is no Jinja2. Every form of template.py is in it, with random insides; so are calls on text and numbers, scopes and white space.

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

# Edges that chance seldom meets.
EDGES = r"""
{{ 'abc'.find('', 3, 1) }} {{ 'abc'.count('', 2, 1) }} {{ 'abc'.startswith('', 3, 1) }} {{ 'abc'.find('', 3) }} {{ 'abc'.find('', 4) }}
{{ 'abcabc'.find('c', 2) }} {{ 'abcabc'.find('c', 3) }} {{ 'abcabc'.find('c', 0, 2) }} {{ 'abcabc'.find('c', 0, 3) }} {{ 'abcabc'.rfind('a', 1, 4) }}
{{ 'abcabc'.count('bc', -5, -1) }} {{ 'abcabc'.endswith('ca', 0, -2) }} {{ 'abcabc'.startswith('c', -4) }} {{ 'abc'.find('a', -9, 9) }}
{{ 'nan'|float < 1.0 }} {{ 1 >= 'nan'|float }} {{ 1.5 >= 'nan'|float }} {{ 'nan'|float <= 1.5 }} {{ 'nan'|float == 'nan'|float }} {{ 'nan'|float != 1 }} {{ 'inf'|float > 1e308 }}
{{ 2 ** 0 }} {{ 0 ** 0 }} {{ 2.0 ** 0 }} {{ 2 ** 62 }} {{ (-2) ** 63 }} {{ 3 ** 39 }} {{ 2 ** 1 }} {{ (-1) ** 5 }} {{ 0 ** 3 }}
{{ '{:X} {:x} {:o} {:b} {:d} {:#X} {:#o} {:#b}'.format(255, 255, 8, 5, 7, 171, 9, 2) }} {{ '{:08.3f}|{:+.0e}|{:,}'.format(3.14159, 12345, 1234567) }}
{{ '{:,}'.format(999) }} {{ '{:,}'.format(1000) }} {{ '{:_}'.format(-1000000) }} {{ '{:010,}'.format(1234) }} {{ '{:,.2f}'.format(1234.5) }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:^6}|{:5s}'.format('abc', 'abc', 'abc', 'abc', 'abc', 'abcdef') }} {{ '{:=+6}'.format(7) }} {{ '{:<06}'.format(7) }}
{{ '%X %x %o %#x %#o %c %c %5.1f %-5d| %+d % d %05d %e %G' % (255, 255, 8, 171, 9, 65, 'z', 2.25, 7, 7, 7, 7, 12345.678, 1e-10) }}
{{ 1_0 }} {{ 0x_f }} {{ 0xF_f }} {{ 0b1_1 }} {{ 0o1_7 }} {{ 0o17 }} {{ 0B11 }} {{ 00 }} {{ 1_0.2_5e1_0 }} {{ 1e+5 }} {{ 1E-5 }}
{{ 9223372036854775807 }} {{ -9223372036854775807 }} {{ 9223372036854775807 // -1 }} {{ -7 // 7 }} {{ -8 // 7 }} {{ 7 % -7 }} {{ 8 % -7 }} {{ -8 % 7 }}
{{ 0 // 5 }} {{ -1 // 5 }} {{ 1 // -5 }} {{ -5 // -5 }} {{ 5.5 // -2 }} {{ -5.5 % 2 }} {{ 5.5 % -2 }} {{ 4.0 % 2 }} {{ -4.0 % 2 }} {{ 7 / 7 }}
{{ 'a' < 'ab' }} {{ 'ab' < 'a' }} {{ 'ab' < 'b' }} {{ 'b' <= 'b' }} {{ '' < 'a' }} {{ 'é' > 'z' }} {{ 'B' < 'a' }} {{ 'ab' >= 'abc' }}
{{ [1] < [1, 0] }} {{ [1, 0] < [1] }} {{ [2] > [1, 9] }} {{ [] < [0] }} {{ [1] <= [1] }} {{ (1, 'a') < (1, 'b') }} {{ [[1]] == [[1.0]] }} {{ [1] == (1,) }}
{{ 'abc'[3:] }}|{{ 'abc'[2:3] }}|{{ 'abc'[-3] }}|{{ 'abc'[:0] }}|{{ 'abc'[-9:9] }}|{{ 'abc'[2::-1] }}|{{ 'abc'[3:0:-1] }}|{{ 'abc'[:-3] }}|{{ 'abc'[1:1] }}
{{ [1, 2, 3][3:] }} {{ [1, 2, 3][-3:1] }} {{ [1, 2, 3][2::-2] }} {{ [1, 2, 3][::3] }} {{ [1, 2, 3][-1] }} {{ [1, 2, 3][-3] }} {{ [1, 2, 3][3] is defined }}
{{ range(0)|list }} {{ range(1, 1)|list }} {{ range(5, 0, -2)|list }} {{ range(0, 5, 5)|list }} {{ range(0, 6, 5)|list }} {{ range(-3)|list }} {{ range(3)|last }}
{{ 2 in range(0, 5, 2) }} {{ 3 in range(0, 5, 2) }} {{ 5 in range(5) }} {{ 0 in range(5, 0, -1) }} {{ range(10, 0, -3)|length }} {{ range(3)[-1] }} {{ range(9)[2:4]|list }}
{{ 'abcdefghij'|truncate(10) }} {{ 'abcdefghij'|truncate(9) }} {{ 'abcdefghijk'|truncate(5, true) }} {{ 'abc def ghi jkl'|truncate(9) }} {{ 'abc def ghi jkl'|truncate(9, false, '', 0) }}
{{ 'abcdefghijk'|truncate(6, true, '...', 4) }} {{ 'abcdefghijk'|truncate(6, true, '...', 5) }} {{ 'abcdefghijk'|truncate(3, true, '...', 0) }}
{{ 0|filesizeformat }} {{ 1|filesizeformat }} {{ 999|filesizeformat }} {{ 1000|filesizeformat }} {{ 1023|filesizeformat(true) }} {{ 1024|filesizeformat(true) }} {{ 1e23|filesizeformat }} {{ 1048576|filesizeformat(true) }}
{{ 0.5|round }} {{ 1.5|round }} {{ 2.5|round }} {{ -0.5|round }} {{ 2.675|round(2) }} {{ 1.05|round(1) }} {{ 15|round(-1) }} {{ 25|round(-1) }} {{ 1.21|round(1, 'ceil') }} {{ -1.29|round(1, 'floor') }}
{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3, 4]|batch(2, 0)|list }} {{ [1]|batch(3, 'x')|list }} {{ []|batch(2)|list }} {{ [1, 2, 3, 4, 5]|slice(3)|list }} {{ [1, 2, 3, 4, 5]|slice(3, 0)|list }} {{ [1, 2]|slice(3, 0)|list }} {{ [1, 2, 3]|slice(3)|list }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true, true) }}|{{ ''|indent(2, true) }}|{{ 'a\n'|indent(1, false, true) }}|{{ 'a\nb'|indent('> ') }}
{{ 'ab'|center(5) }}|{{ 'ab'|center(4) }}|{{ 'ab'|center(2) }}|{{ 'ab'.center(5, '*') }}|{{ 'abc'.center(6, '*') }}|{{ 'abc'.center(8, '*') }}|{{ 'ab'.ljust(3, '.') }}|{{ 'ab'.rjust(3, '.') }}
{{ '5'.zfill(1) }} {{ '5'.zfill(2) }} {{ '-5'.zfill(2) }} {{ '-5'.zfill(3) }} {{ '+5'.zfill(4) }} {{ ''.zfill(2) }} {{ 'a\tb'.expandtabs(1) }} {{ 'abc\td'.expandtabs(4) }} {{ 'abcd\te'.expandtabs(4) }} {{ 'a\tb'.expandtabs(0) }}
{{ 'a,b,,c'.split(',', 1) }} {{ 'a,b,,c'.split(',', 0) }} {{ 'a,b,,c'.rsplit(',', 2) }} {{ ' a  b '.split(none, 1) }} {{ ' a  b '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'aXXbXXXc'.split('XX') }}
{{ 'aaa'.replace('a', 'b', 0) }} {{ 'aaa'.replace('aa', 'b') }} {{ 'aaa'.replace('', '-', 2) }} {{ 'abc'.replace('c', '') }} {{ 'aaa'.count('aa') }} {{ 'aaa'.count('') }} {{ ''.replace('', 'x') }} {{ 'abc'.rfind('') }}
{{ '&lt;b&gt; &amp;amp; &#65;&#x42; &#x110000; &quot; &nope; &eacute;'|striptags }} {{ '<p>a</p>  <!-- c -->b'|striptags }} {{ 'a<b'|striptags }} {{ '<'|e }} {{ '<&>\'"'|e }}
{{ {'a': 1, 'b': none, 'c': '<'}|xmlattr }} {{ {'a': 1}|xmlattr(false) }} {{ {}|xmlattr }}| {{ {'a b': 1, 'é': '/?&'}|urlencode }} {{ 'a b/é~'|urlencode }} {{ [('x', 1), ('y', 'z w')]|urlencode }}
{{ {'b': 1, 'A': 2, 'a': 0}|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(true) }} {{ {'b': 2, 'A': 1}|dictsort(false, 'value', true) }} {{ ['b', 'A', 'a', 'B']|sort }} {{ ['b', 'A', 'a', 'B']|unique|list }} {{ ['a', 'B']|max }} {{ ['a', 'B']|min(true) }}
{{ [3, 1, 2]|sum(start=10) }} {{ []|sum }} {{ [1.5, 2]|sum }} {{ []|first is defined }} {{ []|last is defined }} {{ []|max is defined }} {{ [true, 2]|max }} {{ 'abc'|first }} {{ 'abc'|last }} {{ [1, 1.0, true, 2]|unique|list }}
{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem|d('-') }}{{ loop.nextitem|d('-') }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for x in [1, 1, 2, 2] %}{{ loop.changed(x) }}{% endfor %}{% for x in [] %}a{% else %}b{% endfor %}{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}{{ x }}{{ loop.length }}{% endfor %}{% for a, b in [(1, 2), 'xy'] %}{{ a }}{{ b }}{% endfor %}
{% for n in [{'v': 1, 'c': [{'v': 2, 'c': [{'v': 3}]}]}] recursive %}{{ n.v }}{{ loop.depth }}{{ loop.depth0 }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}
{% macro f(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(1, 3, 4, 5) }}{{ f(b=7, a=8, z=9) }}{{ f.name }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, b=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}
{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3, c=4) f() %}{{ a }}{{ b }}{{ c }}{% endcall %}{% set x %}a{{ 1 }}{% endset %}{{ x }}{% filter upper %}{{ x }}b{% endfilter %}
{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% set y = i %}{% endfor %}{{ ns.a }}{{ y is defined }}{% with z = 1, w = 2 %}{{ z }}{{ w }}{% endwith %}{{ z is defined }}
{% if 0 %}a{% elif '' %}b{% elif [] %}c{% elif 0.0 %}d{% elif {} %}e{% elif none %}f{% else %}g{% endif %}{% if ' ' %}h{% endif %}{% if [0] %}i{% endif %}{% if -1 %}j{% endif %}{% if range(0) %}k{% endif %}
{{ 'a' 'b' ~ 1 ~ 2.0 ~ none ~ true ~ [1] }} {{ 1 if 2 > 1 else 3 }} {{ (1 if false) is defined }} {{ not 1 == 2 }} {{ 1 < 2 < 2 }} {{ 1 < 2 <= 2 != 3 }} {{ 1 or 2 and 0 }} {{ (1 or 2) and 0 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ -1|abs }} {{ 1 + 2|float }}
{{ [1, 'a', none, 1.5, true, {'k': (1,)}]|tojson }} {{ '<>&\'\u2028\x7f\t\u0001😀é'|tojson }} {{ 'é😀\x7f'|tojson(ensure_ascii=true) }} {{ {'b': [], 'a': {}}|tojson(indent=1, sort_keys=true) }} {{ [1, [2, {}]]|tojson(indent=2) }} {{ 1e16|tojson }} {{ 1e-7|tojson }}
{{ ['\x00\x1f\x7f\x80\xa0\xad\u0378\ud7ff\ue000\uffff\U0001f600'] }} {{ ["it's"] }} {{ ['"'] }} {{ ["'" ~ '"'] }} {{ ['\\'] }} {{ {1: 2, 'a': none, (1, 2): [3]} }} {{ ((1,), ()) }}
{{ '12'|int }} {{ ' 12 '|int }} {{ '1_2'|int }} {{ '0x1F'|int(0, 16) }} {{ '0b11'|int(0, 2) }} {{ '12.7'|int }} {{ '-3'|int }} {{ 'x'|int(7) }} {{ ''|int }} {{ 'z'|int(0, 36) }} {{ '1e3'|float }} {{ ' 1.5 '|float }} {{ '.5'|float }} {{ 'x'|float(2) }} {{ '1_0.5'|float }} {{ 'Infinity'|float }}
{{ 'ß'.upper() }} {{ 'ŉ'.title() }} {{ 'ΑΣ'.lower() }} {{ 'ΑΣΑ'.lower() }} {{ 'Σ'.lower() }} {{ "it's o'neil"|title }} {{ "it's o'neil".title() }} {{ 'ǆ'.capitalize() }} {{ 'aBC'.swapcase() }} {{ 'hello wORLD'|capitalize }} {{ 'a-b c_d(e)'|title }}
{{ 'Ab'.istitle() }} {{ 'A B'.istitle() }} {{ 'AB'.istitle() }} {{ '1'.istitle() }} {{ 'a1'.islower() }} {{ '1'.islower() }} {{ 'A1'.isupper() }} {{ ''.isspace() }} {{ ' \t'.isspace() }} {{ ''.isascii() }} {{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ '٣'.isdecimal() }} {{ '_a'.isidentifier() }} {{ '·'.isidentifier() }} {{ 'a·'.isidentifier() }}
{{ 'trim'|trim('tm') }} {{ '  x '.lstrip() }}| {{ '\x1c x\x85'.strip() }}| {{ 'xyx'.rstrip('x') }} {{ ''.strip('x') }} {{ 'abc'.strip('abc') }}| {{ 'a\nb\r\nc\x0bd\x1ce\x85f\u2028g'.splitlines() }} {{ 'a\n'.splitlines(true) }} {{ ''.splitlines() }} {{ '\n'.splitlines() }}
{{ users|groupby('age')|map('first')|list }} {{ users|map(attribute='tags.0', default='-')|list }} {{ users|selectattr('age', '>=', 30)|map(attribute='name')|join(', ') }} {{ users|rejectattr('tags')|list|length }} {{ users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}
{{ 1 is divisibleby 1 }} {{ 3 is divisibleby(2) }} {{ 'a' is lower }} {{ 'aB' is lower }} {{ 0 is even }} {{ -1 is odd }} {{ 1 is sameas 1.0 }} {{ true is sameas true }} {{ [] is sequence }} {{ {} is iterable }} {{ 1.0 is integer }} {{ true is integer }} {{ none is number }} {{ 2 is gt 1 }} {{ 2 is le 2 }} {{ 2 is lt 2 }} {{ 2 is ge 3 }} {{ 2 is ne 2 }}
{% set d = {'a': 1, 'b': 2} %}{% set e = {'b': 2, 'a': 1.0} %}{{ d.items() == e.items() }} {{ d.items() == {'a': 1}.items() }} {{ d.items() == {'a': 1, 'b': 3}.items() }} {{ d.keys() == e.keys() }} {{ d.keys() == {'a': 1, 'c': 2}.keys() }} {{ d.keys() == {'a': 1}.keys() }} {{ d.values() == d.values() }} {{ d.keys() == d.items() }}
{% set d = {'a': 1, 'b': 2} %}{{ d.keys() < {'a': 0, 'b': 0, 'c': 0}.keys() }} {{ d.keys() < d.keys() }} {{ d.keys() <= d.keys() }} {{ d.keys() > {'a': 0}.keys() }} {{ d.keys() >= {'c': 0}.keys() }} {{ d.items() <= {'a': 1, 'b': 2, 'c': 3}.items() }} {{ d.items() >= {'a': 2}.items() }} {{ d.items() < {'a': 1}.items() }}
{{ {'a': 1}.values() < {'a': 1}.values() }}
{% set d = {'a': 1, 'b': [2]} %}{{ 'a' in d.keys() }} {{ 1 in d.keys() }} {{ ('a', 1.0) in d.items() }} {{ ('a', 2) in d.items() }} {{ ('c', 1) in d.items() }} {{ 'a' in d.items() }} {{ ('a', 1, 1) in d.items() }} {{ [2] in d.values() }} {{ 2 in d.values() }} {{ true in d.values() }}
{{ range(3) == range(0, 3, 1) }} {{ range(0) == range(5, 5) }} {{ range(0, 1, 5) == range(1) }} {{ range(2) == range(3) }} {{ range(0, 4, 3) == range(0, 5, 3) }} {{ range(0, 6, 3) == range(0, 6, 4) }} {{ range(1, 3) == range(3)[1:] }} {{ range(2) == [0, 1] }}
{% set b = 123456789012345678901234567890 %}{% set t = (1,) %}{% set d = {} %}{{ b is sameas b }} {{ t is sameas t }} {{ () is sameas () }} {{ d is sameas d }} {{ d is sameas {} }} {{ [] is sameas [] }} {{ 'a' is sameas 'a' }} {{ none is sameas none }} {{ 1 is sameas 1 }} {{ 1.5 is sameas 1 }} {% for x in [1, 2] %}{{ loop is sameas loop }} {{ loop == loop }} {{ loop == 1 }} {{ loop is sameas x }} {% endfor %}
{% set b = 123456789012345678901234567890 %}{{ b }} {{ b == b }} {{ b == 123456789012345678901234567891 }} {{ b < 123456789012345678901234567891 }} {{ b > 99 }} {{ b < 99999999999999999999 }} {{ b > 1.5 }} {{ 1e300 > b }} {{ -1e300 < b }} {{ 2 < b }} {{ 2 > b }} {{ b != 'a' }} {{ b == 1.5 }} {{ 1 == b }}
{% set b = 123456789012345678901234567890 %}{{ b|float }} {{ b|string }} {{ '%d|%s|%x' % (7, b, 255) }} {{ '{:,}|{:d}|{:+}|{:>40}|{:_}'.format(b, b, b, b, b) }} {{ [b, 1]|max }} {{ b is integer }} {{ b is number }} {{ {b: 1}[b] }} {{ [b]|tojson }} {{ b if b else 0 }} {{ b * 1.5 }} {{ b / 2.0 }}
{% set b = 123456789012345678901234567890 %}{{ b|int }}
{% set b = 123456789012345678901234567890 %}{{ b|round }}
{% set b = 123456789012345678901234567890 %}{{ b|abs }}
{% set b = 123456789012345678901234567890 %}{{ '%d' % b }}
{{ 0.0 ** -1 }}
{{ 1e300 ** 2 }}
{{ 'nan'|float|int(5) }} {{ 'inf'|float|int(6) }} {{ 5 // 0.3 }} {{ -1 // 0.1 }} {{ 0.0 // -5 }} {{ -0.0 // 5 }} {{ 1 // 1e300 }} {{ -1 // 1e300 }} {{ 1e300 // 7 }} {{ 6.0 // 0.1 }} {{ -0.0|round }} {{ 0.001|round(2) }} {{ -0.001|round(2) }} {{ 1e300|round(-2) }} {{ 5|round(2) }} {{ 1.5|round(400) }} {{ 3|round(-1, 'floor') }} {{ 1.23|round(1, 'common') }}
{{ '{:g}|{:#g}|{:G}|{:#.3g}|{:g}|{:g}|{:#.0e}|{:#.1g}'.format(1.5, 1.0, 1e-10, 2.0, 100000.0, 1e20, 3.0, 5.0) }} {{ '{:}|{:n}|{:5}|{:.3}|{:.1}|{:010.4}'.format(1.0, 2.5, 3.0, 12345.678, 0.05, 3.14159) }} {{ '{:%}|{:.0%}'.format(0.256, 0.5) }} {{ '%#g|%g|%#.2f|%.0f' % (1.0, 1e20, 2.0, 2.5) }}
{{ '{:.}'.format(1.0) }}
{{ '{:5x5}'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '{:s}'.format(1) }}
{{ '{:f}'.format('a') }}
{{ '{:d}'.format(1.5) }}
{{ '{:x}'.format(1.5) }}
{{ '{:.2d}'.format(1) }}
{{ '{2}'.format(1) }}
{{ '{0[0]x}'.format([1]) }}
{{ '{!z}'.format(1) }}
{{ '{!}'.format(1) }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ '{0} {}'.format(1, 2) }}
{{ '{} {0}'.format(1, 2) }}
{{ '{{}}{{{}}}'.format(1) }} {{ '{0[1]} {0[0][0]} {k[a]} {k[b][1]} {}'.replace(' {}', '').format([['x'], 2], k={'a': 3, 'b': [4, 5]}) }} {{ '{!s}|{!r}|{!r:>6}'.format('a', 'b', 'c') }} {{ '{:{}}|{:{w}.{p}}'.format('a', 3, 'bcd', w=5, p=2) }} {{ '{:*^7}|{:é>3}|{:=+5}|{:<5}|{: }'.format('a', 'b', 3, true, 4) }}
{{ '{a} {b}'.format_map({'a': 1, 'b': 'x', 3: 4}) }} {{ '{a[0]}'.format_map({'a': [7]}) }}
{{ '{a}'.format_map({}) }}
{{ '{a}'.format_map(3) }}
{{ '{a}'.format_map() }}
{{ '{}'.format('<b>'|e) }} {{ ('<i>{}|{}|{:>4}</i>'|safe).format('<', '&'|safe, 5) }} {{ ('%s|%s|%d'|safe) % ('<', '<'|safe, 3) }} {{ ('<{a}>'|safe).format_map({'a': '&'}) }} {{ ('<'|e) ~ '<' }} {{ ('<'|e) + '<' }} {{ ['<', '&'|safe]|join('>') }} {{ ['<', '&'|safe]|join('>'|safe) }}
{{ '\x41\u00e9\U0001f600\101\7\0' }}|{{ '\é\q\\\'\"\a\b\f\v' }}
{{ '\x4' }}
{{ '\u12' }}
{{ '\U00110000' }}
"""


CONTEXT = template.Maker("context").context()


def cases():
    for text in EDGES.strip().split("\n"):
        yield text, CONTEXT
    for kind, forms in template.FORMS.items():
        for number, form in enumerate(forms):
            for variant in range(1 if "$" not in form else 2):
                maker = template.Maker("%s:%d:%d" % (kind, number, variant))
                inside = template.re.sub(r"\$([a-z])", lambda match: "(%s)" % maker.expression(match.group(1), 3), form)
                head = HEAD if any(name in inside for name in ("ns.", "cy.", "jo(", "m(")) else ""
                text = "{{ %s }}" % inside
                yield (head + ("{% for v in [0, 1] %}" + text + "{% endfor %}" if "loop" in inside else text)), CONTEXT
    for number in range(150):
        maker = template.Maker("statement:%d" % number)
        yield HEAD + maker.body(1, 1), CONTEXT
    for number in range(500):
        yield template.Maker("narrow:%d" % number).narrow_case()


def late(signum, frame):
    raise TimeoutError


def main():
    signal.signal(signal.SIGVTALRM, late)
    given = [{"template": text, "context": context, "trim_blocks": True, "lstrip_blocks": True,
              "keep_trailing_newline": False}
             for text, context in cases() if len(text) < 600]
    run = subprocess.run([sys.argv[1]], input="".join(json.dumps(case) + "\n" for case in given), capture_output=True,
                         encoding="utf-8", check=True)
    rows, common = [], given[0]["context"]
    for case, line in zip(given, run.stdout.split("\n")):
        answer = json.loads(line)
        signal.setitimer(signal.ITIMER_VIRTUAL, 1)
        output, error = template.judge(case)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if "TimeoutError" in (error or "") or "MemoryError" in (error or "") or len(output or "") > 600:
            continue
        if answer.get("status") in (template.LIMIT, template.UNSUPPORTED) or "slice" in answer.get("error", ""):
            continue
        if output is not None and (template.ADDRESS.search(output) or not template.encodable(output)):
            continue
        rows.append([case["template"], output] + ([json.dumps(case["context"])] if case["context"] is not common else []))
    print('{"context": %s,\n"cases": [\n%s\n]}' % (json.dumps(json.dumps(common)),
                                                  ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)))


main()
