#!/bin/sh
# tests/fixtures/stages.sh, a few steps of each stage: it runs from random weights to preferences, and a second time
# gives the same bytes, from the first file to the last figure. (That instruction sets and threads change no bit,
# train.sh shows.)
. tests/strict.sh

tests/fixtures/stages.sh "$MOTE_BUILD" "$D/a" small >/dev/null 2>"$D/err" || fail "stages.sh: $(cat "$D/err")"
tests/fixtures/stages.sh "$MOTE_BUILD" "$D/b" small >/dev/null
for file in "$D"/a/*.* "$D"/a/start/*; do
	case $file in
	*.loss) ;; # tells its seconds
	*) cmp "$file" "$D/b${file#"$D/a"}" || fail "${file##*/} differs" ;;
	esac
done
[ "$(wc -l <"$D/a/figures.jsonl")" = 8 ] || fail "not all figures are there"
for stage in base answers thoughts preferences; do
	"$MOTE_BUILD/mote-inspect" "$D/a/$stage.mote" --json >"$D/json"
	grep -q '"step":"train"' "$D/json" || fail "$stage was not trained"
done
grep -o '"step":"train"' "$D/json" | wc -l | grep -qx ' *4' || fail "the lineage does not have all stages"
grep -q '"loss":"apo_zero"' "$D/json" || fail "the last stage is another"

# the right answer in the figures is the right one
python3 - <<'END' || fail "staged.py"
import random, sys
sys.path.insert(0, "tests/fixtures")
import staged
rng = random.Random(5)
for _ in range(2000):
    question, whole = staged.problem(rng, "test")
    a, b = (int(x) for x in "".join(c if c.isdigit() else " " for c in question).split())
    answer = staged.only_answer(whole)
    assert str(a + b) in answer and staged.in_form(answer, answer), (question, whole)
    assert staged.in_form("7".join(answer.rsplit(str(a + b), 1)), answer) and not staged.in_form(answer[:-1], answer)
END
echo "1 passed, 0 failed"
