"""Random small templates, rendered by Jinja2 and by mote: what comes out must be the same, errors included.

    template.py DRIVER [COUNT [SEED]]

A case is made from forms like "$s.replace($s, $s)", whose letters are replaced by random forms of that type (s
string, i integer, f float, n number, b bool, l list, t list of strings, d dict, u list of dicts, x anything, r what
is likely to be an error).
Texts of the context bear a mark, which must come out in a plain span whatever was done to it.

Left out of the comparison, and counted: what prints an address, integers beyond 64 bits, what mote refuses by name,
and slices of constants that fail (Jinja2 folds [1][0][1:] and ''['a':] to undefined, but fails for x[0][1:]).
Markup is that of MarkupSafe 3, which pip installs beside Jinja2: of the arguments of its methods it escapes only those
that become part of the text.
"""
import datetime
import json
import random
import re
import subprocess
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox
import markupsafe

FORMS = {
    "s": r"""
        ''  'Hello World'  'x y'  "it's"  'q"q'  ' pad '  'ß'  'Ünïcode'  '日本'  'a,b,,c'  'line\nnext'  '12'  '-3.5'
        'é\t'  '<b>&'  'ABC'  'ǆ'  '%s'  '{}'  s  name  text  word  empty  uni  bos_token  messages[0].role
        messages[0]['content']  users[1].name  $s+$s  $s~$x  $s|upper  $s|lower  $s|title  $s|capitalize  $s|trim
        $s|reverse  $s|string  $x|string  $s|e  $s|replace($s,$s)  $s|replace($s,$s,$i)  $s|indent  $s|indent($i)
        $s|indent(2,true)  $s|indent(first=true,blank=$b)  $s|truncate($i)  $s|truncate(9,$b,'..')
        $s|truncate(5,true,'',0)  $s|center(12)  $s|wordcount  $s|first  $s|last  $s|default($s)  nope|default($s)
        nope|d($x,$b)  $x|default($x,true)  $l|join  $t|join(',')  $l|join($s)  $u|join(',',attribute='name')
        $x|tojson  $x|tojson(indent=2)  $d|tojson(sort_keys=true)  $x|tojson(separators=(',',':'))
        $x|tojson(ensure_ascii=true)  $s|urlencode  $d|urlencode  $s|striptags  $s|forceescape  $s|safe  $s|escape
        $s|format  $s.upper()  $s.lower()  $s.title()  $s.capitalize()  $s.swapcase()  uni.casefold()  $s.strip()
        $s.lstrip()  $s.rstrip()  $s.strip($s)  $s.lstrip($s)  $s.rstrip($s)  $s.replace($s,$s)  $s.replace($s,$s,$i)
        $s.join($t)  $s.zfill($i)  $s.center($i)  $s.center($i,'*')  $s.ljust($i,'.')  $s.rjust($i)
        $s.removeprefix($s)  $s.removesuffix($s)  $s.expandtabs($i)  $s.format($x,$x)  '{}-{}'.format($x,$x)
        '{0}{1}{0}'.format($x,$i)  '{a}:{b!r}'.format(a=$s,b=$x)  '{:>8}|{:<6}|{:^7}'.format($s,$i,$s)
        '{:05d}'.format($i)  '{:.2f}'.format($n)  '{:,}'.format($i)  '{:e}'.format($f)  '{:g}'.format($n)
        '{:x}'.format($i)  '{:+d}'.format($i)  '{:%}'.format($f)  '{:*^9}'.format($s)
        '{0.name}-{0[name]}'.format($u[0])  '%s'%$s  '%s-%s'%($x,$x)  '%d'%$n  '%5.2f'%$n  '%-8s|'%$s  '%05d'%$i
        '%x'%$i  '%r'%$s  '%(a)s'%$d  '%s %s'|format($x,$x)  '%(k)s'|format(k=$x)  '%+d'%$i  '%e'%$f  '%g'%$f  '%%'%()
        '%c'%'x'  '%10.3s|'%$s  $s[$i]  $s[$i:]  $s[:$i]  $s[$i:$i]  $s[::$i]  $s[$i:$i:$i]  $s[::-1]  $s*$i  $i*$s
        $s.partition($s)[0]  $t[$i]  $s.split()[0]  ($s,$s)|first  $s|map('upper')|join  $s|list|join('-')  ($s|e)+$s
        $s+($s|safe)  ($s|safe)~$s  ($s|e).replace('&','+')  [($s|e)]  ($s if $b else $s)  ($s if $b)
        $s|filesizeformat  $i|filesizeformat  $d|xmlattr  $s|count|string  $s|attr('upper')  d.k  d['k']  nope  'a'
        'a' 'b' 'c'  'abc'""",
    "i": r"""
        0  1  2  3  -1  -7  10  255  1_000  0x1f  n  i  big  n|int  $i+$i  $i-$i  $i*$i  $i//$i  $i%$i  -$i  +$i
        $i**2  2**3  $s|length  $l|length  $d|length  $l|count  $s|int  $x|int  $s|int($i)  '0x1f'|int(0,16)  $n|int
        $i|abs  $s.find($s)  $s.rfind($s)  $s.index($s)  $s.count($s)  $l.index($x)  $l.count($x)  $l|sum  $l|max
        $l|min  $u|sum(attribute='age')  $u|sum('age',$i)  $l|first  $l|last  $n|round|int  $s|wordcount  loop.index
        $i|round  range($i)|sum  range($i)[$i]  $i.bit_length()  ($i if $b else $i)  true+$i  $b*$i""",
    "f": r"""
        0.0  1.5  -2.25  3.14159  1e3  1e-7  1e22  0.1  123456789.125  f  x  $i/$i  $f+$f  $f*$f  $f-$f  $f/$f  $f//$i
        $f%$f  -$f  $f**2  $s|float  $x|float  $x|float($f)  $n|round(2)  $n|round(1,'floor')  $n|round(0,'ceil')
        $f|round(-1)  $f|abs  2**-1  $f|round($i)""",
    "n": r"""
        $i  $f  $b""",
    "b": r"""
        true  false  True  False  $x==$x  $x!=$x  $i<$i  $i<=$n  $n>$n  $n>=$n  $s<$s  $s in $s  $x in $l  $s in $d
        $i<$i<$i  1==1.0==true  not $x  $x and $x  $x or $x  $x is defined  nope is defined  $x is none  $x is string
        $x is number  $x is integer  $x is float  $x is boolean  $x is true  $x is false  $x is mapping
        $x is sequence  $x is iterable  $x is callable  $x is undefined  $i is odd  $i is even  $i is divisibleby($i)
        $s is upper  $s is lower  $x is ne($x)  $i is lt(5)  $x is in $l  $x is not none  'upper' is filter
        'nope' is filter  'odd' is test  $s.startswith($s)  $s.endswith($s)  $s.startswith(('a','H'))  $s.isdigit()
        $s.isalpha()  $s.isupper()  $s.islower()  $s.isspace()  $s.isalnum()  $s.istitle()  $s.isnumeric()
        $s.isdecimal()  $s.isascii()  $s.isidentifier()  $x is escaped  ($s|e) is escaped  $l<$l  $l==$l  $d==$d
        $t|length>$i  $b and $b  $b or $b  not $b  loop.first  loop.last  loop.changed($x)
        $l is sequence and $l[0] is defined  $x not in $l  $x is not defined  $x is not string  $i is divisibleby 3
        $x is eq $x  $i is gt 3  $x is equalto $x  $x is sameas true  $x is sameas none  $i is ge $i""",
    "l": r"""
        []  [1,2,3]  [3,1,2]  [1,'a',none]  [[1,2],[3,4]]  [1.5,true]  (1,)  (1,'x')  ()  l  nums  [$x]  [$x,$x]
        [$i,$i,$i]  ($x,$x)  $l+$l  $l*2  $l[$i:]  $l[:$i]  $l[::-1]  $l[$i:$i:$i]  $l|list  $l|sort
        $l|sort(reverse=$b)  $l|reverse|list  $l|unique|list  $l|map('string')|list  $l|select|list  $l|reject|list
        $l|select('number')|list  $l|reject('none')|list  $l|select('gt',$i)|list  $l|select('in',$l)|list  $s|list
        $d|list  $d.keys()|list  $d.values()|list  $d.items()|list  $d|items|list  $d|dictsort
        $d|dictsort(by='value')  $d|dictsort(true,reverse=true)  range($i)|list  range($i,$i)|list
        range($i,$i,$i)|list  $l|batch(2)|list  $l|batch(2,$x)|list  $l|slice(2)|list  $l|slice(3,$x)|list
        $s.partition($s)  $s.rpartition($s)  $u|map(attribute='age')|list  $u|map(attribute='nope',default=$x)|list
        $u|groupby('age')  $u|groupby('name')|map('first')|list  $l|map('default',$x)|list  $l|map('int')|list
        $l|map('float')|list  $l|map('tojson')|list  $u|map(attribute='tags.0')|list
        $u|groupby('nope',default=$i)|map(attribute='grouper')|list  [$l,$l]|sum(start=[])  $l|first  $l if $b else $l
        $x|list""",
    "t": r"""
        ['a','B','c']  ['b','a','C']  words  $s.split()  $s.split(',')  $s.split($s)  $s.split($s,$i)
        $s.rsplit(' ',1)  $s.rsplit($s,$i)  $s.rsplit(none,$i)  $s.split(none,$i)  $s.splitlines()
        $s.splitlines(true)  $t|sort  $t|sort(case_sensitive=true)  $t|sort(reverse=true)  $t|map('upper')|list
        $t|map('replace',$s,$s)|list  $t|unique|list  $t|unique(true)|list  $t|select('equalto',$s)|list
        $u|map(attribute='name')|list  $t|map('trim')|list  $t|map('length')|list  $t+$t  [$s,$s]
        $t|reject('in',$t)|list  $t|map('attr','upper')|list|length""",
    "d": r"""
        {}  {'a':1}  {'b':2,'a':1}  {'a':$x,'k':$x}  {1:2,none:3}  {'x':{'y':$x}}  d  obj  users[0]  dict(a=$x,b=$x)
        dict($d,k=$x)  dict([['p',$x]])  {$s:$x}  {$i:$x,$f:$x}  {'a':$l}  {true:$x,1:$x}  $u[$i]  messages[0]
        $d.copy()  ($d if $b else $d)""",
    "u": r"""
        users  users[:2]  $u|selectattr('age')|list  $u|selectattr('age','gt',$i)|list
        $u|rejectattr('name','equalto',$s)|list  $u|sort(attribute='age')  $u|sort(attribute='name',reverse=true)
        $u|sort(attribute='age,name')  $u|selectattr('tags')|list  $u|unique(attribute='age')|list  $u|reverse|list
        $u|rejectattr('nope')|list  $u|selectattr('name','in',$t)|list  [$u|max(attribute='age')]
        [$u|min(attribute='name')]  [{'name':$s,'age':$i}]  $u+$u  $u[1:]  $u|selectattr('nope','defined')|list
        $u|selectattr('tags.1','defined')|list""",
    "x": r"""
        $s  $i  $f  $b  $l  $t  $d  $u  none  None  d.get($s)  d.get($s,$x)  $d['a']  $d.get('a')  $l[$i]  $d[$s]
        users[0].name  users[$i].tags  ns.v  ns.w  loop.index0  loop.revindex  loop.length  loop.previtem
        loop.nextitem  loop.cycle('o','e')  loop.depth  $x[$i]  $x|default($x)  $x~$x  ($x if $x else $x)  ($x,$x)
        $d|length  $x is defined and $x  m()  m($x)  m($x,$x)  m(b=$x)  m($x,b=$x,c=$x)  range($i)  $d.items()
        $d.keys()  cy.next()  jo()  $x|upper  $x|e  $x|trim  $s  $i  $l  $d""",
    "r": r"""
        $x  nope  d.nope  $x|first  $x|last  $x|length  $x.a  $x|abs  $x+$x  $x*$x  $x-$x  $x/$x  $x//$x  $x%$x  $x**2
        -$x  $x<$x  $x|reverse  $x|sort  $x|unique|list  $x|groupby('a')  $x|items|list  $x.__class__  $l.append(1)
        $d.update(a=1)  $d.pop('a')  $x|map('upper')|list  null  $d.k  [$x,$x]|max  [$x,$x]|min  caller()  varargs
        kwargs  loop  d.items  $s.nope  nope.x  $x|int($x)  $x|round  $x|sum  $x|join($x)  $x|default($x,$x)
        $x|select($s)|list  $x in $x  $x[$x]  $x[$x:$x]  $x|dictsort  $x|float  $x|xmlattr  $x|urlencode  $x|indent
        $x|truncate  $x|batch($x)|list  $x|slice($x)|list  $x()  range($x)  dict($x)  $s%$x  $s.format($x)
        $x|tojson($x)  $x|min  $x|max  $x|center($x)  $x|replace($x,$x)  $x|trim($x)  $x|list  $x|string|length
        $u|selectattr($s,$s,$x)|list  $x is divisibleby($x)  $x is even  $x is lower  $x is in $x  $x is lt $x""",
}
FORMS = {kind: re.split(r"\s*\n\s*|\s{2,}", forms.strip()) for kind, forms in FORMS.items()}


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.loops = 0

    def expression(self, kind="x", depth=0):
        if depth > 4 or self.random.random() < 0.25 + 0.1 * depth:
            leaves = [form for form in FORMS[kind] if "$" not in form]
            form = self.random.choice(leaves or ["1"])
        else:
            form = self.random.choice(FORMS[kind])
        if "loop" in form and not self.loops and self.random.random() < 0.95:
            form = "1"

        def inner(match):
            wanted = match.group(1)
            if self.random.random() < 0.02:
                wanted = self.random.choice("sifblxr")
            text = self.expression(wanted, depth + 1)
            return text if re.fullmatch(r"[\w.'\"]+", text) or self.random.random() < 0.03 else "(" + text + ")"
        return re.sub(r"\$([a-z])", inner, form)

    def sign(self):
        return self.random.choice(["", "", "", "", "-", "-", "+"])

    def tag(self, text):
        return "{%" + self.sign() + " " + text + " " + self.sign() + "%}"

    def space(self):
        return self.random.choice(["", "", "", " ", "\n", "  ", "\n  ", " \n", "\t", "\n\n", "a", "b\n", " c ", "\n d",
                                   "\r\n"])

    def output(self):
        return "{{" + self.random.choice(["", "-"]) + " " + self.expression() + " " + self.random.choice(["", "-"]) + "}}"

    def body(self, depth, minimum=0):
        parts = [self.space()]
        for _ in range(self.random.randint(minimum, 3 if depth < 3 else 1)):
            parts.append(self.statement(depth + 1))
            parts.append(self.space())
        return "".join(parts)

    def statement(self, depth):
        pick = self.random.random()
        if depth > 3 or pick < 0.4:
            return self.output()
        choices = [self.make_if, self.make_for, self.make_set, self.make_macro, self.make_call, self.make_filter,
                   self.make_with, self.make_raw, self.make_comment, self.make_namespace, self.make_set_block,
                   self.make_jump, self.make_generation, self.make_for]
        return self.random.choice(choices)(depth)

    def make_if(self, depth):
        text = self.tag("if " + self.expression(self.random.choice("bx"))) + self.body(depth)
        if self.random.random() < 0.3:
            text += self.tag("elif " + self.expression("b")) + self.body(depth)
        if self.random.random() < 0.4:
            text += self.tag("else") + self.body(depth)
        return text + self.tag("endif")

    def make_for(self, depth):
        kind, target = self.random.choice([("l", "v"), ("l", "i"), ("t", "s"), ("u", "user"), ("x", "v"), ("d", "k")])
        iterable = self.expression(kind)
        if self.random.random() < 0.2:
            iterable, target = self.expression("d") + ".items()", "k, v"
        condition = " if " + self.expression("b").replace("loop", "l") if self.random.random() < 0.2 else ""
        self.loops += 1
        text = self.tag("for %s in %s%s" % (target, iterable, condition)) + self.body(depth, 1)
        self.loops -= 1
        if self.random.random() < 0.25:
            text += self.tag("else") + self.body(depth)
        return text + self.tag("endfor")

    def make_set(self, depth):
        if self.random.random() < 0.1:
            return self.tag("set a, b = " + self.expression("l"))
        return self.tag("set %s = %s" % (self.random.choice(["s", "i", "v", "a", "l", "x"]), self.expression()))

    def make_set_block(self, depth):
        filters = self.random.choice(["", "", " | upper", " | trim | length"])
        return self.tag("set s" + filters) + self.body(depth) + self.tag("endset")

    def make_macro(self, depth):
        signature = self.random.choice(["", "a", "a, b=1", "a=$s, b=a, c=$x", "a=1, b=2"])
        signature = re.sub(r"\$([a-z])", lambda match: self.expression(match.group(1), 3), signature)
        loops, self.loops = self.loops, 0
        text = self.tag("macro m(%s)" % signature) + self.body(depth, 1) + self.random.choice(["", "{{ a }}", "{{ caller() }}",
                                                                                             "{{ varargs }}{{ kwargs }}"])
        self.loops = loops
        return text + self.tag("endmacro") + self.random.choice(["", "{{ m(1) }}", "{{ m(1, b=2) }}",
                                                                 "{{ m(1, 2, 3, z=4) }}"])

    def make_call(self, depth):
        return "{% macro n(a) %}<{{ caller(a) }}>{% endmacro %}" + self.tag(self.random.choice(["call n(%s)", "call(q) n(%s)", "call n()", "call m()"]).replace("%s", self.expression("x", 3))) + \
            self.body(depth) + self.tag("endcall")

    def make_filter(self, depth):
        return self.tag("filter " + self.random.choice(["upper", "trim", "replace('a', 'b')", "indent(2)", "title", "length", "e | upper"])) + \
            self.body(depth) + self.tag("endfilter")

    def make_with(self, depth):
        return self.tag("with a = %s, s = %s" % (self.expression(), self.expression("s"))) + self.body(depth, 1) + self.tag("endwith")

    def make_raw(self, depth):
        return self.tag("raw").replace("+%}", "%}") + self.random.choice(["{{ x }}", " {% if %} ", "\n  text\n  "]) + self.tag("endraw")

    def make_comment(self, depth):
        return "{#" + self.sign() + " note " + self.sign() + "#}"

    def make_namespace(self, depth):
        return self.random.choice([self.tag("set ns = namespace(v=%s, w=0)" % self.expression("x", 2)),
                                   self.tag("set ns.v = " + self.expression()), self.tag("set ns.w = ns.w + 1")])

    def make_jump(self, depth):
        if not self.loops:
            return self.output()
        return self.tag("if " + self.expression("b")) + self.tag(self.random.choice(["break", "continue"])) + self.tag("endif")

    def make_generation(self, depth):
        return self.tag("generation") + self.body(3) + self.tag("endgeneration")

    def value(self, depth=0):
        pick = self.random.randint(0, 9 if depth < 2 else 6)
        words = ["", "a", "龘Hello", "it's", 'say "x"', "ünï ß", "日本語", "x\ny", "\t", "tab\\", "\u200b", "é", "12",
                 "<|im_end|>", "😀", "\x7f", "\xa0z"]
        if pick <= 2:
            return self.random.choice(words)
        if pick == 3:
            return self.random.choice([0, 1, -1, 7, 42, -1000, 2 ** 40, 10 ** 15])
        if pick == 4:
            return self.random.choice([0.0, 1.0, -2.5, 0.1, 1e16, 1e-5, 123.456, -0.0, 1e100, 5e-324,
                                       1.7976931348623157e308])
        if pick == 5:
            return self.random.choice([True, False])
        if pick == 6:
            return None
        if pick <= 8:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        return {self.random.choice(["a", "b", "k", "Z", "é", "name"]): self.value(depth + 1)
                for _ in range(self.random.randint(0, 3))}

    def context(self):
        people = [{"name": name, "age": self.random.choice([1, 20, 30, 30, 41]),
                   "tags": self.random.choice([["x"], ["y", "z"], []])}
                  for name in self.random.sample(["Ann", "bob龘", "Cid", "dora"], 3)]
        return {
            "s": self.value(9) if self.random.random() < 0.2 else "some text", "name": "Zoë龘",
            "text": "one 龘 two  three\nfour", "word": "word",
            "empty": "", "uni": "naïve ΑΣ ﬁ", "n": 5, "i": self.random.randint(-5, 20), "big": 2 ** 53, "f": 2.5,
            "x": self.random.random(),
            "l": [3, 1, 2], "nums": [1, 2.5, -3], "words": ["pear", "Apple", "fig"],
            "d": {"k": self.value(), "a": 1, "b": "two"},
            "obj": {"x": self.value(), "y": [1, {"z": None}]}, "users": people, "bos_token": "<s>",
            "messages": [{"role": "user", "content": "Hi <|im_end|>龘"}, {"role": "assistant", "content": self.value()}],
        }

    # ---- narrower kinds of cases: token soup, scopes, text and number functions ----

    SOUP = ["{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{%-", "-%}", "{%+", "+%}", "{#-", "-#}", " ", "  ", "\n",
            "\n ", " \n", "\t", "\r\n",
            " raw ", " endraw ", " if 1 ", " endif ", " set q = 1 ", " 1 ", " 'a' ", '"', "'", "a", "b", "(", ")", "[",
            "]", "{", "}", ",", "+", "-",
            "1.5", "x.0", ".", "|upper", "else", "'\\n'", "{{ 1 }}", "{% if 1 %}", "{% endif %}", "{% raw %}",
            "{% endraw %}", "{# c #}", "\u3000", "\x0b"]

    def make_soup(self):
        return "".join(self.random.choice(self.SOUP) for _ in range(self.random.randint(1, 14)))

    def make_tidy_soup(self):
        pieces = ["{{ 'v' }}", "{{- 'v' }}", "{{ 'v' -}}", "{{- 'v' -}}"]
        for inner in ("set q = 1", "if 1", "endif"):
            pieces += ["{%" + left + " " + inner + " " + right + "%}" for left in ("", "-", "+")
                       for right in ("", "-", "+")]
        pieces += ["{#" + left + " c " + right + "#}" for left in ("", "-", "+") for right in ("", "-", "+")]
        pieces += ["{%" + left + " raw " + "%} {{ r }} {%" + right + " endraw " + last + "%}" for left in ("", "-")
                   for right in ("", "-") for last in ("", "-", "+")]
        gaps = ["", " ", "\n", "  \n", "\n  ", " \n ", "t", "t\n", "\n t ", "\t", "\r\n", "\n\n"]
        out, depth = "", 0
        for _ in range(self.random.randint(1, 7)):
            piece = self.random.choice(pieces)
            if "endif" in piece:
                if not depth:
                    continue
                depth -= 1
            depth += "if 1" in piece
            out += self.random.choice(gaps) + piece
        return out + self.random.choice(gaps) + "{% endif %}" * depth + self.random.choice(gaps)

    def make_scope(self, depth=0):
        names = ["p", "q", "r", "n", "i"]
        out = ""
        for _ in range(self.random.randint(1, 4)):
            name = self.random.choice(names)
            pick = self.random.randint(0, 12 if depth < 4 else 4)
            if pick <= 2:
                out += "{{ %s }}," % name
            elif pick <= 4:
                out += "{%% set %s = %s %%}" % (name, self.random.choice(["1", "2", "'s'", "p", "q ~ 'x'", "r or 7", "(n or 0) ~ 1"]))
            elif pick == 5:
                out += "{%% for %s in %s %%}%s{%% endfor %%}" % (name, self.random.choice(["[1]", "[1, 2]", "p or [3]", "[]", "'ab'"]), self.make_scope(depth + 1))
            elif pick == 6:
                out += "{%% if %s %%}%s{%% else %%}%s{%% endif %%}" % (self.random.choice(names + ["loop is defined and loop.first"]),
                                                                     self.make_scope(depth + 1),
                                                                       self.make_scope(depth + 1))
            elif pick == 7:
                out += "{%% macro f(%s) %%}%s{%% endmacro %%}" % (self.random.choice(["", "p", "p, q=p", "q=1, r=q"]),
                                                                  self.make_scope(depth + 1))
            elif pick == 8:
                out += "{{ f(" + self.random.choice(["", "1", "p", "1, 2"]) + ") if f is defined and f is not string and f is not number }}"
            elif pick == 9:
                out += "{%% with %s = %s %%}%s{%% endwith %%}" % (name, self.random.choice(names + ["5"]),
                                                                  self.make_scope(depth + 1))
            elif pick == 10:
                out += "{%% set %s %%}%s{%% endset %%}" % (name, self.make_scope(depth + 1))
            elif pick == 11:
                out += "{%% filter upper %%}%s{%% endfilter %%}" % self.make_scope(depth + 1)
            else:
                out += "{%% macro g(a) %%}<{{ caller(a) }}>{%% endmacro %%}{%% call(%s) g(%s) %%}%s{%% endcall %%}" % (
                    "z", self.random.choice(names), self.make_scope(depth + 1))
        return out

    CHARACTERS = ["a", "B", "z", "0", "9", " ", " ", "\t", "\n", "\r", "\r\n", "\x0b", "\x1c", "\x85", "\xa0", "\u2028",
                  "\u3000", "\u200b", "-", "_", "'", '"',
                  "\\", "é", "É", "ß", "İ", "ı", "ǆ", "ǅ", "Σ", "σ", "ς", "ﬁ", "ŉ", "٣", "²", "½", "Ⅷ", "日", "ー", "龘",
                  "😀", "\u0301", "\x7f", "\x00"[:0], "ª", "ά", "Ж", "ж",
                  "K", "\ufeff", "\u00ad", "<", "&", ">", ".", ",", "%", "{", "}", "/", "(", "x", "=", "\U0001d7d8",
                  "\ue000", "Ǳ", "ﬀ"]

    def make_text_call(self):
        method = self.random.choice("""upper() lower() title() capitalize() swapcase() strip() lstrip() rstrip() split() rsplit() splitlines()
            splitlines(true) isalpha() isdigit() isdecimal() isnumeric() isalnum() isspace() isupper() islower() istitle() isascii() isprintable()
            isidentifier() split(u) rsplit(u,1) split(none,1) rsplit(none,2) strip(u) lstrip(u) rstrip(u) find(u) rfind(u) count(u) replace(u,'<>')
            replace(u,'',1) partition(u) rpartition(u) startswith(u) endswith(u) center(9) ljust(7,'·') zfill(6) expandtabs() expandtabs(3) join('abc')
            removeprefix(u) removesuffix(u) find(u,1) rfind(u,0,3) count(u,-3) index(u) casefold()""".split())
        filters = self.random.choice("""upper lower title capitalize trim trim(u) wordcount length reverse list string e urlencode striptags tojson
            tojson(ensure_ascii=true) indent indent(2,true,true) truncate(5) truncate(6,true) truncate(5,false,u) center(10) replace(u,'_')
            first last int float int(9) sort|join unique|join map('upper')|list min max batch(3)|list e|e forceescape|e select('upper')|list
            groupby(0)|list default('z',true) format""".split())
        return self.random.choice(["{{ t.%s }}" % method, "{{ [t.%s] }}" % method, "{{ t|%s }}" % filters,
                                   "{{ [t|%s] }}" % filters,
                                   "{{ t[%d:%d] }}|{{ t[%d] }}|{{ t[::%d] }}|{{ [t] }}" % tuple(self.random.choice([-3, -1, 1, 2, 5]) for _ in range(4)),
                                   "{{ (t|e).%s }}" % method.replace("casefold()", "lower()"),
                                   "{{ t is upper }}{{ t is lower }}{{ t == u }}{{ t < u }}{{ u in t }}"])

    def number(self):
        return self.random.choice([self.random.uniform(-10, 10), self.random.uniform(-1, 1) * 10 ** self.random.randint(-12, 25), self.random.randint(-99, 99),
                                   float(self.random.randint(-999, 999)), self.random.randint(-9, 9) / 2,
                                   self.random.randint(-10 ** 12, 10 ** 12),
                                   round(self.random.uniform(-100, 100), 2), self.random.randint(0, 9999) / 1000])

    def make_number_call(self):
        spec = "".join([self.random.choice(["", "<", ">", "^", "=", "*<", "0>"]),
                        self.random.choice(["", "", "+", " ", "-"]), self.random.choice(["", "", "#"]),
                        self.random.choice(["", "", "0"]), self.random.choice(["", "8", "12", "3"]),
                        self.random.choice(["", "", ",", "_"]),
                        self.random.choice(["", "", ".0", ".1", ".3", ".12"]),
                        self.random.choice(["", "", "d", "f", "e", "g", "%", "x", "o", "b", "X", "s", "n", "G", "E"])])
        percent = "%" + "".join([self.random.choice(["", "", "-", "+", " ", "0", "#", "-+"]),
                                 self.random.choice(["", "5", "10"]),
                                 self.random.choice(["", "", ".0", ".2", ".5"]), self.random.choice("dfegsrxXoiGEF")])
        operator = self.random.choice(["+", "-", "*", "/", "//", "%", "**", "<", "<=", "==", "!=", ">"])
        return self.random.choice(["{{ '{:%s}'.format(t) }}" % spec, "{{ '%s' % t }}".replace("%s", percent),
                                   "{{ '%s' | format(t) }}".replace("%s", percent),
                                   "{{ t %s (u|round(0) if '%s' == '**' else u) }}" % (operator, operator),
                                   "{{ t }}|{{ [t] }}|{{ t|tojson }}|{{ -t }}|{{ t|abs }}",
                                   "{{ t|round }}|{{ t|round(%d) }}|{{ t|int }}|{{ t|float }}" % self.random.randint(-3, 6), "{{ t|string|float == t }}",
                                   "{{ t|round(%d, '%s') }}" % (self.random.randint(0, 4),
                                                                self.random.choice(["ceil", "floor", "common"])),
                                   "{{ t|filesizeformat }} {{ t|filesizeformat(true) }}",
                                   "{{ [t, u, 0, true]|sort }}{{ [t, u]|sum }}{{ t in [u, t] }}"])

    def narrow_case(self):
        pick = self.random.random()
        text = "".join(self.random.choice(self.CHARACTERS) for _ in range(self.random.randint(0, 8)))
        if pick < 0.3:
            return self.make_text_call(), {"t": text, "u": "".join(self.random.choice(self.CHARACTERS[:20] + list(text)) for _ in range(self.random.randint(0, 2)))}
        if pick < 0.55:
            return self.make_number_call(), {"t": self.number(), "u": self.number()}
        if pick < 0.8:
            return self.make_scope(), {name: self.random.choice(["P", 0, [4, 5]])
                                       for name in self.random.sample(["p", "q", "r", "f"], 2)}
        return self.make_soup() if pick < 0.9 else self.make_tidy_soup(), {"x": [1]}

    def case(self):
        if self.random.random() < 0.5:
            template, context = self.narrow_case()
            options = {key: self.random.random() < 0.6 for key in ("trim_blocks", "lstrip_blocks", "keep_trailing_newline")}
            return {"template": template, "context": context, **options}
        head = "{% set ns = namespace(v=1, w=0) %}{% set cy = cycler('p', 'q') %}{% set jo = joiner() %}" \
               "{% macro m(a=1, b=2) %}[{{ a }}|{{ b }}]{% endmacro %}" if self.random.random() < 0.95 else ""
        if self.random.random() < 0.5:
            template = head + "{{ " + self.expression("r" if self.random.random() < 0.25 else self.random.choice("sifbltdux")) + " }}"
        else:
            template = head + self.body(0, 1)
        options = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": False}
        if self.random.random() < 0.3:
            options = {key: self.random.random() < 0.5 for key in options}
        return {"template": template, "context": self.context(), **options}


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_support"), [], [], body).set_lineno(line)

    def _support(self, caller):
        return caller()


def environment(case):
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=case["trim_blocks"], lstrip_blocks=case["lstrip_blocks"],
        keep_trailing_newline=case["keep_trailing_newline"],
        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.datetime.utcfromtimestamp(0).strftime(form)
    return env


def as_markupsafe_3(name):
    method = getattr(str, name)

    def call(self, *args):
        if name == "replace" and len(args) > 1:
            args = (args[0], self.escape(args[1]), *args[2:])
        return self.__class__(method(self, *args))

    setattr(markupsafe.Markup, name, call)


for method_name in ("replace", "strip", "lstrip", "rstrip", "casefold", "removeprefix", "removesuffix"):
    as_markupsafe_3(method_name)


def judge(case):
    try:
        return environment(case).from_string(case["template"]).render(**case["context"]), None
    except Exception as error:  # whatever Python raises is an error of the template
        return None, "%s: %s" % (type(error).__name__, error)


def encodable(text):
    try:
        text.encode()
        return True
    except UnicodeEncodeError:
        return False


LIMIT, UNSUPPORTED = 6, 5
MARK = "龘"  # stands in texts of the context, never in templates: whatever becomes of it must be in a plain span
ADDRESS = re.compile(r"0x[0-9a-f]{6,}| object at |<bound method|<built-in|<class |<function|'0', 'x', '7'",
                     re.IGNORECASE)


def main():
    driver, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    cases = [Maker("%d:%d" % (seed, number)).case() for number in range(count)]
    run = subprocess.run([driver], input="".join(json.dumps({**case, "spans": True}) + "\n" for case in cases),
                         capture_output=True, encoding="utf-8", check=True)
    passed = failed = refused = addresses = folded = leaked = both_fail = 0
    for number, (case, line) in enumerate(zip(cases, run.stdout.split("\n"))):
        answer = json.loads(line)
        output, error = judge(case)
        if answer.get("status") in (LIMIT, UNSUPPORTED) and "beyond 64 bits" in answer["error"] or answer.get("status") == UNSUPPORTED:
            refused += 1
            continue
        if output is not None and (ADDRESS.search(output) or not encodable(output)):
            addresses += 1
            continue
        if output is not None and ("cannot be sliced" in answer.get("error", "")
                                   or "slice index must be" in answer.get("error", "")):
            folded += 1
            continue
        if any(MARK in text and not plain for text, plain in answer.get("spans", [])):
            leaked += 1
            print("LEAKED %d:%d %r\n  spans %r" % (seed, number, case["template"], answer["spans"]))
        both_fail += output is None and "error" in answer
        if answer.get("output") == output:
            passed += 1
            continue
        failed += 1
        if failed <= 40:
            print("FAILED %d:%d %s\n  template %r\n  jinja2   %r %s\n  mote     %r %s" % (
                seed, number, {key: value for key, value in case.items() if key not in ("template", "context")},
                case["template"], output, error or "", answer.get("output"), answer.get("error", "")))
    print("jinja2 %s: %d refused by name, %d print addresses, %d slice a constant, %d fail in both" % (
        jinja2.__version__, refused, addresses, folded, both_fail))
    print("%d passed, %d failed" % (passed - leaked, failed + leaked))
    return failed + leaked != 0 or not passed


if __name__ == "__main__":
    sys.exit(main())
