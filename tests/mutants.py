#!/usr/bin/env python3
"""Which lines does no test watch? Changes one operator or constant in a line of the library or a tool, builds, runs tests.

  mutants.py [--count N] [--minutes M] [--seed S] [--skip N] [--programs N] [--scripts SECONDS] [--whole] [--again LOG]
             [--work FOLDER] [FILE.c ...]

Works in a clone of the last commit below build/, and changes no file of it: the changed source, its object, and the programs linked
with it lie beside. The places are drawn at random, from all rooms when no file is named. First run the test programs that call
the changed file, then those of its folder, then others that hold it (--programs of them at most), then its room's scripts (--scripts
seconds of a processor at most; 0: none), up to the first that fails: what is printed as killed is a lower bound of what make check notices.
--whole: then everything else that holds it. A mutant that survives is a line that no test watches, or a change that makes no
difference: decide which, and write the missing test, or a line in tests/mutants.txt (file, line, changed line, reason; tabs between).
Compilers that refuse a change have killed nothing: it does not count. --again tries what a former run's output calls SURVIVED;
--skip goes on behind the first N places of the seed.
"""
import argparse
import glob
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time

CHANGES = [(r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" \+ 1\b", " + 2"), (r" - 1\b", " - 0"),
           (r" && ", " || "), (r" \|\| ", " && "), (r" == ", " != "), (r" != ", " == "), (r"\breturn true;", "return false;"),
           (r"\breturn false;", "return true;"), (r" \+= ", " -= "), (r" -= ", " += "), (r"if \(!", "if ("), (r" \? ", " && 0 ? ")]
# What this machine does not compile.
ELSEWHERE = ("runtime/kernels/arm/", "quant/team/team_mpi.c")
# The scripts of a room: the first folder or file that fits. Those that build for themselves would not see the change.
SCRIPTS = [("format/tool/sandbox", "sandbox"), ("format/tool/shortened", "limits"), ("format/tool", "options terminal output"), ("format/output", "output"),
           ("format/json", "limits inspect"), ("format/portable", "output kill"), ("format", "inspect bad_input"),
           ("runtime/kernels", "bench"), ("runtime/model/finite", "finite"), ("runtime/model", "session run"), ("runtime/tokenizer", "tokenize"),
           ("runtime/template", "tokenize chat"), ("runtime/chat", "run chat tokenize"), ("runtime/generate", "run serve"),
           ("runtime/grammar", "run serve"), ("runtime/api", "run chat serve"), ("runtime/serve", "serve"), ("runtime/mote-serve", "serve"),
           ("runtime/run_session", "session"), ("runtime/run", "run chat"), ("runtime/mote-run", "run chat"), ("runtime/bench", "bench"),
           ("runtime/mote-bench", "bench"), ("runtime/tokenize", "tokenize"), ("runtime/mote-tokenize", "tokenize"),
           ("convert/gguf", "export convert"), ("convert/export", "export"), ("convert", "convert export"), ("quant/train", "train recover"),
           ("quant/mote-train", "train"), ("quant/eval/eval_part", "shards"), ("quant/eval", "eval"), ("quant/mote-eval", "eval"),
           ("quant/mote-quantize", "quantize output shards_quantize"), ("quant/team", "shards shards_perplexity"),
           ("quant/receipt", "perplexity quantize"), ("quant/measure", "perplexity"),
           ("quant/perplexity", "perplexity shards_perplexity"), ("quant/mote-perplexity", "perplexity shards_perplexity"),
           ("quant", "quantize shards_quantize")]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD, MUTANT = "build/release", "build/mutant/release"


def words_of(path):
    """The words in a path, those of several letters, in the singular."""
    return {word.rstrip("s") for word in re.split(r"[^a-z]+", path) if len(word) > 2}


class Place:
    def __init__(self, name, number, old, new):
        self.name, self.number, self.old, self.new = name, number, old, new
        self.key = (name, old.strip(), new.strip())


def candidates(files):
    for name in files:
        for number, line in enumerate(open(name, encoding="utf-8").read().split("\n")):
            if line.startswith("\t") and '"' not in line and not line.strip().startswith(("*", "/*", "//")):
                for pattern, new in CHANGES:
                    if re.search(pattern, line):
                        yield Place(name, number, line, re.sub(pattern, new, line, count=1))


def fails(command, cpu=600.0, seconds=1800):
    """Also true when it does not come to an end: a process of it after so many seconds of a processor, all of it by the clock."""
    def limit():  # a changed line must not take the machine with it
        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 30, 16 << 30))  # tests/cli/convert.sh makes 4.4 GB, with holes
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                             start_new_session=True, preexec_fn=limit, env=dict(os.environ, MOTE_BUILD=MUTANT))
    try:
        return child.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True


class House:
    """A built clone: how each object and program of it is made, which tests hold which file, how long each takes."""
    def __init__(self, make):
        sources = glob.glob("tests/test_*.c")
        self.tests = {BUILD + "/" + os.path.basename(f)[:-2]: f for f in sources}
        self.tests.update({BUILD + "/test_replay_" + os.path.basename(f)[5:-2]: f for f in glob.glob("tests/fuzz/fuzz_*.c")})
        self.text = {test: open(source, encoding="utf-8").read() for test, source in self.tests.items()}
        if subprocess.run([*make, "all", *self.tests]).returncode:
            sys.exit("the build failed")
        self.commands = self.read_commands(make)
        self.linker = ["-Wl,-S"] + (["-fuse-ld=lld"] if shutil.which("ld.lld") else [])
        self.held, self.seconds = {}, {}
        os.makedirs(MUTANT, exist_ok=True)
        if os.path.exists("build/seconds.json"):
            self.seconds = json.load(open("build/seconds.json", encoding="utf-8"))

    def read_commands(self, make):
        """What makes each file, and nothing is run."""
        lines = subprocess.run([*make, "-n", "-B", "V=1", "all", *self.tests], capture_output=True, text=True, check=True).stdout
        found = (re.match(r"(\S+ .* -o (\S+))$", line) for line in lines.split("\n"))
        return {match[2]: shlex.split(match[1]) for match in found if match and not match[1].startswith(("echo", "{"))}

    def symbols(self, file, *options):
        if (file, options) not in self.held:
            text = subprocess.run(["nm", "-P", "--defined-only", *options, file], capture_output=True, text=True).stdout
            self.held[file, options] = {line.split(" ")[0] for line in text.split("\n")}
        return self.held[file, options]

    def globals_of(self, name):
        return {s for s in self.symbols(self.object_of(name), "-g") if s}

    def tests_of(self, name):
        """Those that hold the file: which call it, which share most words of its path, which include what lies beside it."""
        of_file = self.globals_of(name)
        folder = '#include "%s/' % os.path.dirname(name)
        words = words_of(name)

        def rank(test):
            called = any(re.search(r"\b%s\b" % s, self.text[test]) for s in of_file)
            return (not called, -len(words & words_of(os.path.basename(test))), folder not in self.text[test],
                    self.seconds.get(test) or 0, test)
        order = sorted(self.tests, key=rank)
        return (test for test in order if of_file & self.symbols(test))

    def scripts_of(self, name):
        names = next(scripts for room, scripts in SCRIPTS if name.startswith(room)).split()
        return [f for f in ("tests/cli/%s.sh" % script for script in names) if os.path.exists(f)]

    @staticmethod
    def object_of(name):
        return BUILD + "/" + re.sub(r"\.c$", ".o", name)

    def compile(self, name, text):
        file = "build/mutant/" + os.path.basename(name)
        open(file, "w", encoding="utf-8").write(text)
        command = [file if word == name else word for word in self.commands[self.object_of(name)][:-1]]
        quickly = [] if name.startswith("runtime/kernels/") else ["-O1"]  # kernels: as they are built, with what -O2 makes of overruns
        return not fails([*command, "build/mutant/changed.o", *quickly, "-g0", "-w", "-MF", "build/mutant/changed.d"])

    def link(self, program, name):
        """The program with the changed object: in its place, or before the library's copy of it. "": as it was."""
        out = MUTANT + "/" + os.path.basename(program)
        if os.path.lexists(out):
            os.remove(out)
        if name:
            words, own = self.commands[program][:-1], self.object_of(name)
            if own in words:
                words = ["build/mutant/changed.o" if word == own else word for word in words]
            else:
                words = [part for word in words for part in (["build/mutant/changed.o", word] if word.endswith("libmote.a") else [word])]
            if not fails([*words, out, *self.linker]):
                return
        if os.path.lexists(out):
            os.remove(out)
        os.symlink(os.path.abspath(program), out)

    def run(self, test, cpu=600.0):
        return not fails(["sh", test] if test.endswith(".sh") else [MUTANT + "/" + os.path.basename(test)], cpu)

    def time_of(self, test):
        """Seconds of a processor without a change; None when it fails."""
        if test not in self.seconds:
            self.place(test, "")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            good = self.run(test)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.seconds[test] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime if good else None
            json.dump(self.seconds, open("build/seconds.json", "w", encoding="utf-8"))
        return self.seconds[test]

    def place(self, test, name):
        """What the test runs, with the change: itself, or of a script the tools that it, or a file called by it, names and that hold
        the changed file. The other tools as they were."""
        if test in self.tests:
            return self.link(test, name)
        text = open(test, encoding="utf-8").read()
        for helper in set(re.findall(r"tests/[\w/]+\.(?:py|sh)", text)):
            text += open(helper, encoding="utf-8").read() if os.path.exists(helper) else ""
        for program in self.commands:
            tool = re.search(r"/(mote-[a-z]+)$", program)
            if tool:
                own = name and self.object_of(name) in self.commands[program]  # also a file that nothing calls by a name
                changed = own or name and self.globals_of(name) & self.symbols(program)
                self.link(program, name if changed and re.search(r"\$tool|mote-\*|\b%s\b" % tool[1], text) else "")
        return None

    def notices(self, test, name):
        if self.time_of(test) is None:
            return False
        self.place(test, name)
        return not self.run(test, 10 + 5 * self.time_of(test))

    def killer(self, name, arguments):
        """The first test that notices what was compiled."""
        programs = list(self.tests_of(name))
        for test in programs[:arguments.programs]:
            if self.notices(test, name):
                return test
        spent = 0.0
        for script in self.scripts_of(name) if arguments.scripts or arguments.whole else []:
            spent += self.time_of(script) or 0
            if (spent <= arguments.scripts or arguments.whole) and self.notices(script, name):
                return script
        rest = programs[arguments.programs:] + [f for f in glob.glob("tests/cli/*.sh") if f not in self.scripts_of(name)]
        return next((test for test in rest if self.notices(test, name)), None) if arguments.whole else None


def try_place(house, place, arguments):
    """The test that notices; None when none does, False when it does not compile."""
    lines = open(place.name, encoding="utf-8").read().split("\n")
    lines[place.number] = place.new
    return house.killer(place.name, arguments) if house.compile(place.name, "\n".join(lines)) else False


def read_again(log):
    found = (re.match(r"SURVIVED (\S+):\d+: (.*)  =>  (.*)$", line.rstrip("\n")) for line in open(log, encoding="utf-8"))
    return {(match[1], match[2], match[3]) for match in found if match}


def read_known():
    with open(os.path.join(ROOT, "tests/mutants.txt"), encoding="utf-8") as file:
        return {tuple(line.split("\t")[:3]) for line in file if not line.startswith("#")}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--programs", type=int, default=12)
    parser.add_argument("--scripts", type=float, default=60)
    parser.add_argument("--again")
    parser.add_argument("--work", default="build/mutants")
    parser.add_argument("--make", default="make -s -j2")
    parser.add_argument("files", nargs="*")
    return parser.parse_args()


def main():
    arguments = options()
    known = read_known()
    again = read_again(arguments.again) if arguments.again else None
    if not os.path.exists(arguments.work):
        subprocess.run(["git", "clone", "-q", ".", arguments.work], check=True)
    os.chdir(arguments.work)
    house = House(shlex.split(arguments.make))
    files = arguments.files or subprocess.run(["git", "ls-files", "format/*.c", "runtime/*.c", "convert/*.c", "quant/*.c"],
                                              capture_output=True, text=True, check=True).stdout.split()
    places = list(candidates(name for name in files if not name.startswith(ELSEWHERE)))
    random.Random(arguments.seed).shuffle(places)
    drawn = [place for place in places if place.key in again] if again is not None else places[arguments.skip:]
    end, tried, same, survivors = time.time() + 60 * arguments.minutes, 0, 0, 0
    for place in drawn:
        if tried == arguments.count or time.time() > end:
            break
        killer = None if place.key in known else try_place(house, place, arguments)
        if killer is False:
            continue
        tried += 1
        same += place.key in known
        survivors += killer is None and place.key not in known
        verdict = "the same" if place.key in known else "SURVIVED" if killer is None else "killed  "
        by = "  [%s]" % os.path.basename(killer) if killer else ""
        print("%s %s:%d: %s  =>  %s%s" % (verdict, place.name, place.number + 1, place.key[1], place.key[2], by), flush=True)
    print("%d mutants of %d places: %d make no difference, %d survived; tests notice %.1f %% of the others" %
          (tried, len(places), same, survivors, 100 * (tried - same - survivors) / max(1, tried - same)))
    sys.exit(tried == 0)


main()
