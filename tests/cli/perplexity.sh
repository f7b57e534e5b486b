# mote-perplexity on the fixture: torch's numbers, the same bits in every way of measuring, receipts, refusals.
. tests/strict.sh
number() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/'; } # of a JSON object on one line

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
"$B/mote-quantize" "$D/f.mote" -o "$D/q.mote" --type q4 --encoder round --no-validate >/dev/null 2>&1

# Torch in float64: every loss of a text, and the perplexity of the whole held-out text by llama.cpp's rule.
awk '/"input_ids"/ { on = 1; n = 0; next } on && /\]/ { exit } on { gsub(/[ ,]/, ""); if (n++) print }' $F/golden.json \
	>"$D/ids"
awk '/"nll_per_token"/ { on = 1; next } on && /\]/ { exit } on { gsub(/[ ,]/, ""); print }' $F/golden.json >"$D/nll"
sed -n 's/^ "text": "\(.*\)",$/\1/p' $F/golden.json | sed 's/%/%%/g; s/\\"/"/g' >"$D/format"
printf "$(cat "$D/format")" >"$D/text"
"$B/mote-perplexity" "$D/f.mote" -f "$D/text" --all-positions --per-token "$D/got" >/dev/null
[ "$(wc -l <"$D/got")" = "$(wc -l <"$D/nll")" ] || fail "$(wc -l <"$D/got") losses, torch has $(wc -l <"$D/nll")"
paste -d ' ' "$D/got" "$D/ids" "$D/nll" | awk '
	{ d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || d > 1e-4) { print "token " NR ": " $0; bad = 1 } }
	END { exit bad }' || fail "losses differ from torch's"
for context in 256 512; do
	torch=$(awk -v c="$context" '/"context"/ { on = $2 + 0 == c } on && /"perplexity"/ { print $2; exit }' \
		$F/golden.json)
	mine=$("$B/mote-perplexity" "$D/f.mote" -f $F/heldout.txt -c $context --json | number perplexity)
	awk -v a="$torch" -v b="$mine" 'BEGIN { d = a - b; exit !(a > 1 && d < 1e-4 && d > -1e-4) }' ||
		fail "perplexity at $context: $mine, torch has $torch"
done

# One thread or three, any kernels, a reference that runs or was saved: the same bytes.
measure() { "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 5 --json "$@"; }
measure --reference "$D/f.mote" -t 1 >"$D/a"
measure --reference "$D/f.mote" -t 3 >"$D/b"
cmp "$D/a" "$D/b" || fail "threads change figures"
MOTE_ISA=scalar measure --reference "$D/f.mote" >"$D/b"
cmp "$D/a" "$D/b" || fail "the instruction set changes figures"
cp -r $F "$D/granite" # whose logits are divided
sed 's/LlamaFor/GraniteFor/; s/"llama"/"granite"/; s/"mlp_bias"/"logits_scaling": 3.0, "mlp_bias"/' $F/config.json >"$D/granite/config.json"
"$B/mote-convert" "$D/granite" -o "$D/g.mote" >/dev/null 2>&1
for saved in f q g; do # a float head, a quantized one, a scaled one
	"$B/mote-perplexity" "$D/$saved.mote" -f $F/heldout.txt -c 200 --chunks 5 --json >"$D/plain"
	"$B/mote-perplexity" "$D/$saved.mote" -f $F/heldout.txt -c 200 --chunks 5 --json --save-logits "$D/logits" \
		--force >"$D/b"
	cmp "$D/plain" "$D/b" || fail "figures from saved logits differ"
done
"$B/mote-perplexity" "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 5 --save-logits "$D/logits" --force >/dev/null
mkfifo "$D/pipe"
expect 2 'not a regular file' "$B/mote-perplexity" "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 5 \
	--save-logits "$D/pipe" --force
measure --reference-logits "$D/logits" >"$D/b"
cmp "$D/a" "$D/b" || fail "figures from saved reference logits differ"
"$B/mote-perplexity" "$D/q.mote" "$D/f.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 5 --json >"$D/b"
kld=$(number kld_mean <"$D/a")
grep -q "\"kld_mean\":$kld," "$D/b" || fail "several models at once give other figures"
awk -v k="$kld" 'BEGIN { exit !(k > 0 && k < 1) }' || fail "KL divergence $kld"
expect 2 "saved for other tokens" measure --reference-logits "$D/logits" --chunks 6
head -c 3000 "$D/logits" >"$D/short"
expect 3 "ends inside" measure --reference-logits "$D/short"
mkfifo "$D/fifo" # nobody will ever write into it
expect 1 "not a regular file" measure --reference-logits "$D/fifo"
{ head -c 36 "$D/logits"; printf x; tail -c +38 "$D/logits"; } >"$D/flipped"
expect 3 "header is damaged" measure --reference-logits "$D/flipped"
{ head -c 3000 "$D/logits"; printf xyz; tail -c +3004 "$D/logits"; } >"$D/flipped"
expect 3 "is damaged" measure --reference-logits "$D/flipped"

# Receipts: stamped, checked, refused where they do not apply.
expect 3 "holds no receipt" "$B/mote-perplexity" "$D/q.mote" --check -f $F/heldout.txt --reference "$D/f.mote"
measure --reference "$D/f.mote" --stamp >/dev/null
"$B/mote-perplexity" "$D/q.mote" --check -f $F/heldout.txt --reference "$D/f.mote" -t 1 >"$D/out"
grep -q "receipt holds" "$D/out" || fail "the receipt does not hold"
"$B/mote-inspect" --verify "$D/q.mote" >/dev/null || fail "mote-inspect does not verify the receipt"
# Measured with chunks of another length, or alone: another receipt, and each is found by what it was measured against.
cp "$D/q.mote" "$D/two.mote"
"$B/mote-perplexity" "$D/two.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 400 --chunks 5 --stamp >/dev/null
"$B/mote-perplexity" "$D/two.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 100 --chunks 20 --stamp >/dev/null
"$B/mote-perplexity" "$D/two.mote" -f $F/heldout.txt -c 50 --chunks 40 --stamp >/dev/null
[ "$("$B/mote-inspect" "$D/two.mote" | grep -c 'tokens a chunk  *[1-4]0*0$')" = 3 ] || fail "a receipt was replaced"
"$B/mote-perplexity" "$D/two.mote" --check -f $F/heldout.txt --reference "$D/f.mote" | grep -q ' of 100,' ||
	fail "the newest receipt against a reference is not the one that is checked"
"$B/mote-perplexity" "$D/two.mote" --check -f $F/heldout.txt | grep -q ' of 50,' || fail "nor the one without"
expect 2 "other tensors" "$B/mote-perplexity" "$D/q.mote" --check -f $F/heldout.txt --reference "$D/q.mote"
expect 3 "holds no receipt" "$B/mote-perplexity" "$D/q.mote" --check -f $F/calibration.txt --reference "$D/f.mote"
for rule in '-c 64' '--chunks 3' --all-positions --plain; do
	# shellcheck disable=SC2086
	expect 2 "takes the receipt's rule" "$B/mote-perplexity" "$D/q.mote" --check -f $F/heldout.txt --reference "$D/f.mote" $rule
done
expect 2 '--seed goes with --generate, and --max-tokens with --prompts' "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt --seed 2
expect 2 '--seed goes with --generate, and --max-tokens with --prompts' "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt --max-tokens 2
expect 2 '-f and --generate exclude each other' "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt --generate 100
"$B/mote-perplexity" "$D/q.mote" --reference "$D/f.mote" --generate 900 --seed 7 -c 128 --stamp >/dev/null
"$B/mote-perplexity" "$D/q.mote" --reference "$D/f.mote" --check >"$D/out"
grep -q "seed 7" "$D/out" || fail "--check did not write the text again"
# A template whose text before the user's becomes no token: as without a template, a text begins with bos.
cp -R $F "$D/silent"
rm "$D/silent/chat_template.jinja"
"$B/mote-convert" "$D/silent" -o "$D/none.mote" >/dev/null 2>&1
echo '~{{ messages[0].content }}' >"$D/silent/chat_template.jinja"
sed -i 's/"normalizer": null/"normalizer": {"type": "Replace", "pattern": {"String": "~"}, "content": ""}/' "$D/silent/tokenizer.json"
"$B/mote-convert" "$D/silent" -o "$D/silent.mote" >/dev/null 2>&1
for model in none silent; do "$B/mote-perplexity" "$D/$model.mote" --generate 200 -c 32 --json | number perplexity >"$D/$model.got"; done
cmp "$D/none.got" "$D/silent.got" || fail "a template without a token changes what a text begins with"
# Another form of the tokenizer will do as long as it reads the text as the same tokens.
"$B/mote-perplexity" "$D/none.mote" --reference "$D/silent.mote" -f "$D/text" -c 64 --json >"$D/out"
grep -q '"kld_mean":0,' "$D/out" || fail "a tokenizer that differs in what the text has not: $(cat "$D/out")"
sed 's/^/~/' "$D/text" >"$D/tilde"
expect 2 'silent.mote has another tokenizer than .*none.mote, and reads the text as other tokens' \
	"$B/mote-perplexity" "$D/none.mote" --reference "$D/silent.mote" -f "$D/tilde" -c 64

# Figures for people: no error where one token has no spread, no sixty digits; what is no text is said, and measured.
printf 'What is' >"$D/two"
"$B/mote-perplexity" "$D/f.mote" -f "$D/two" -c 2 --all-positions --report "$D/page0.html" >"$D/out"
grep -q '1 scored' "$D/out" || fail "not one token: $(cat "$D/out")"
! grep -qi 'nan' "$D/out" "$D/page0.html" || fail "an error that does not exist: $(cat "$D/out")"
"$B/mote-perplexity" "$D/f.mote" "$D/q.mote" -f "$D/two" -c 2 --all-positions >"$D/out"
! grep -qi 'nan' "$D/out" || fail "an error that does not exist: $(cat "$D/out")"
"$B/mote-perplexity" "$D/f.mote" --reference "$D/q.mote" -f "$D/two" -f "$D/two" --all-positions >"$D/out"
grep -q '^  f.mote: perplexity [0-9.]*, x [0-9.]*, KL divergence [0-9.]*, same top' "$D/out" ||
	fail "an error that does not exist: $(cat "$D/out")"
"$B/mote-perplexity" "$D/f.mote" --reference "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 5 >"$D/out"
"$B/mote-perplexity" "$D/f.mote" --reference "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 5 --json >"$D/json"
python3 - "$D/out" "$D/json" <<'END' || fail "figures without their errors: $(cat "$D/out")"
import json, re, sys
text, figures = open(sys.argv[1], encoding="utf-8").read(), json.load(open(sys.argv[2]))
shown = re.findall(r"^  .{22} +(\S+) ± (\S+)  \(by chunks ± (\S+)\)", text, re.M)
keys = {"perplexity": 1, "reference_perplexity": 1, "perplexity_ratio": 1, "log_perplexity_ratio": 1, "kld_mean": 1,
        "top1_agreement": 100, "delta_p_mean": 100, "delta_p_rms": 100}
assert shown == [tuple("%.6f" % (scale * figures[key + kind]) for kind in ("", "_error", "_block_error"))
                 for key, scale in keys.items()], shown
END
expect 2 "--all-positions has no chunks" "$B/mote-perplexity" "$D/f.mote" -f "$D/text" --all-positions --chunks 2
head -c 4000 $F/heldout.txt >"$D/utf8"
{ printf '\377\376'; sed 's/./&\x00/g; s/$/\x00/' "$D/utf8"; } >"$D/utf16" 2>/dev/null
expect 0 "is UTF-16" "$B/mote-perplexity" "$D/f.mote" -f "$D/utf16" -c 64
{ cat "$D/utf8"; printf 'caf\351 and more'; } >"$D/latin1"
expect 0 "byte 4003 (0xe9) is not UTF-8" "$B/mote-perplexity" "$D/f.mote" -f "$D/latin1" -c 64
{ cat "$D/utf8"; printf 'a\0b'; } >"$D/nul"
expect 0 "byte 4001 is a NUL" "$B/mote-perplexity" "$D/f.mote" -f "$D/nul" -c 64

# Behaviour, and the page.
printf 'What is 478 + 256?\n\n{"prompt": "Which is larger, 31 or 13?"}\n{"messages": [{"role": "user", "content": "7 - 5 = ?"}]}\n' \
	>"$D/prompts"
"$B/mote-perplexity" "$D/f.mote" "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 5 \
	--prompts "$D/prompts" --report "$D/page.html" --json >"$D/out"
grep -q '"behaviour":{"prompts":3,"identical_answers":1,.*"closed_thinking":1}' "$D/out" ||
	fail "behaviour: $(cat "$D/out")"
# Without a reference's answers there is nothing that answers could be identical with; nor a share of thoughts without any.
for against in "$D/q.mote" "--reference-logits $D/logits"; do
	# shellcheck disable=SC2086
	"$B/mote-perplexity" "$D/f.mote" $against -f $F/heldout.txt -c 200 --chunks 5 --prompts "$D/prompts" --max-tokens 9 --json >"$D/alone"
	grep -q '"behaviour":{"prompts":3,"identical_answers":null,"mean_identical_tokens":null,"identical_token_share":null,"mean_tokens":9,' "$D/alone" ||
		fail "identical with nothing: $(cat "$D/alone")"
done
"$B/mote-perplexity" "$D/none.mote" "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 2 --prompts "$D/prompts" --max-tokens 2 >"$D/alone"
grep -q '^none.mote  *-  *-  *1.0  *100.0 %  *-$' "$D/alone" || fail "figures of nothing: $(cat "$D/alone")"
grep -q '<svg' "$D/page.html" && grep -q '<mark>' "$D/page.html" && tail -1 "$D/page.html" | grep -q '</html>$' ||
	fail "the page lacks a part"
python3 - "$D/page.html" "$D/out" <<'END' || fail "the axis of divergences has other steps"
import json, re, sys
page, figures = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
kld = json.loads(figures)["models"][1]["kld_mean"]
axis = page[page.index('<line class="grid"'):page.index("megabytes")]
shown = [float(x) for x in re.findall('text-anchor="end">([^<]+)</text>', axis)]
steps = [float("%de%d" % (k, power)) for power in range(-12, 3) for k in (1, 2, 5)]
assert shown == [x for x in steps if kld / 5 <= x <= kld * 1.8] and len(shown) > 1, (kld, shown)
END
"$B/mote-perplexity" "$D/f.mote" "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 5 --report "$D/alone.html" >/dev/null
python3 - "$D/alone.html" <<'END' || fail "errors of perplexities are drawn outside of the picture"
import re, sys
lines = re.findall('<line class="error" x1="[^"]*" x2="[^"]*" y1="([^"]*)" y2="([^"]*)"', open(sys.argv[1], encoding="utf-8").read())
assert len(lines) == 2 and all(18 <= float(y) <= 380 - 46 for line in lines for y in line), lines
END
grep -q '@media print{@page{size:A4 landscape' "$D/page.html" || fail "the page is not made for paper"
python3 - "$D/page.html" $F/heldout.txt <<'END' || fail "the page's tokens are not the text's"
import html, re, sys
page, text = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
shown = re.findall('<td class="text">(.*?)<mark>(.+?)</mark>(.*?)</td>', page)
assert len(shown) > 5 and all(html.unescape("".join(x)).replace("\u21b5", "\n") in text for x in shown), shown
assert all(len(before + after) > 20 for before, token, after in shown), shown
END
printf 'x\n{"messages": [}\n' >"$D/bad"
expect 3 'bad: line 2, column 15: expected a value' "$B/mote-perplexity" "$D/q.mote" $against -f $F/heldout.txt -c 200 --chunks 2 --prompts "$D/bad"
! grep -q '<script' "$D/page.html" || fail "the page needs a script"
"$B/mote-perplexity" "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 64 --chunks 2 --prompts - --json \
	<"$D/prompts" >"$D/piped"
"$B/mote-perplexity" "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 64 --chunks 2 --prompts "$D/prompts" \
	--json | cmp - "$D/piped" || fail "prompts from standard input"

# Without being asked to, it makes no parts where it was started, where there may be no place for them.
mkdir "$D/here"
: >"$D/here/mote-perplexity.parts"
(B=$(cd "$B" && pwd) && text=$PWD/$F/heldout.txt && cd "$D/here" &&
	"$B/mote-perplexity" ../q.mote -f "$text" -c 200 --chunks 5) >"$D/out" || fail "parts that nobody asked for"

# Wrong usage, little text.
expect 2 "no model" "$B/mote-perplexity" -f $F/heldout.txt
expect 2 "give a text" "$B/mote-perplexity" "$D/f.mote"
expect 2 "expected an integer" "$B/mote-perplexity" "$D/f.mote" -f $F/heldout.txt -c 12x
expect 2 "takes at most 512" "$B/mote-perplexity" "$D/f.mote" -f $F/heldout.txt -c 513
echo "What is 1 + 1?" >"$D/little"
expect 2 "two chunks" "$B/mote-perplexity" "$D/f.mote" -f "$D/little"
expect 1 "No such file" "$B/mote-perplexity" "$D/f.mote" -f "$D/nothing"
echo '{"promt": "x"}' >"$D/prompts"
expect 3 "expected \"prompt\"" "$B/mote-perplexity" "$D/f.mote" -f "$D/none" --prompts "$D/prompts" # before any text
