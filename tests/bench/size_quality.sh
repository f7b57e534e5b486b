#!/bin/sh
# Size against quality: every type, with the vocabulary at q8 and everywhere, the mixture of each one's size, mixtures
# between, and plain rounding. Asserts nothing; docs/quantization.md shows what it measured.
#
#   tests/bench/size_quality.sh MODEL.mote NAME -f TEXT [OPTION of mote-quantize]... >NAME.points
#   tests/bench/size_quality.sh --table NAME.points       types and mixtures of their sizes, as Markdown
#   tests/bench/size_quality.sh --draw NAME.points... >docs/quantization-curve.svg
#
# A point is: name, kind (type, everywhere, same, mixture, rounded), label, bytes, bits a weight, KL divergence,
# perplexity ratio, same top-1; the mean over SEEDS (0 1) of the calibration text. MOTE_BUILD says where the tools are.
set -eu
build=${MOTE_BUILD:-build/release}

field() { grep -o "\"$1\":[-0-9.eE+]*" "$2" | tail -n 1 | sed 's/.*://'; }

# kind label options...: a point, and its file's bytes in $bytes
point() {
	kind=$1 label=$2
	shift 2
	for seed in ${SEEDS:-0 1}; do
		"$build/mote-quantize" "$model" -o "$work/q.mote" -f --seed "$seed" --json "$@" >"$work/json" \
			2>/dev/null
		bytes=$(field file_bytes "$work/json")
		echo "$bytes $(field bits_per_weight "$work/json") $(field kld_mean "$work/json")" \
			"$(field perplexity_ratio "$work/json") $(field top1_agreement "$work/json")"
	done >"$work/seeds"
	bytes=$(sed 's/ .*//;q' "$work/seeds")
	awk -v head="$name $kind $label" '{ for (i = 1; i <= NF; i++) sum[i] += $i }
		END { printf "%s %.0f %.3f %.3g %.4f %.4f\n", head, sum[1] / NR, sum[2] / NR, sum[3] / NR, sum[4] / NR, sum[5] / NR }' \
		"$work/seeds"
}

measure() {
	model=$1 name=$2 text=$4
	shift 4
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	set -- --validate "$text" "$@"
	for type in q3 q4 q5 q6 q8; do
		for kind in type everywhere; do
			[ $type.$kind != q8.type ] || continue # the same as everywhere
			rule=$([ $kind = type ] && echo '*.layers.*' || echo '*')
			point $kind $type --type $type --tensor "$rule=$type" "$@"
			point same "$type.$kind" --budget "$bytes" "$@"
		done
	done
	for type in q3 q4 q5 q6 q8; do
		point rounded $type --type $type --encoder round "$@"
	done
	for bits in 3.75 4 4.25 4.75 5 5.25 5.75 6 6.25 6.75 7 7.5 8; do
		point mixture $bits --bits $bits "$@"
	done
}

table() {
	awk '$2 == "same" { printf "| %s | %.3f | %.0f | %.3g | %.3g | %.2f | ×%.4f | ×%.4f |\n", label, bits, bytes, kld, $6, $6 / kld, ratio, $7 }
		{ label = "`" $3 "`" ($2 == "everywhere" ? " everywhere" : ""); bits = $5; bytes = $4; kld = $6; ratio = $7 }' "$1"
}

# A panel for each model: bits a weight against the divergence, one logarithmic axis for all.
draw() {
	awk -f - "$@" <<'AWK'
function ln10(x) { return log(x) / log(10) }
function px(bits) { return left + (bits - 3.3) / (9 - 3.3) * width }
function py(kld) { return top + (ln10(high) - ln10(kld)) / (ln10(high) - ln10(low)) * height }
function dot(shape, p) {
	if (shape == "type")
		printf "<circle class=\"type\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", px(bits[p]), py(kld[p])
	else if (shape == "everywhere")
		printf "<rect class=\"type\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"/>\n", px(bits[p]) - 3.5, py(kld[p]) - 3.5
	else if (shape == "rounded")
		printf "<path class=\"rounded\" d=\"M%.1f %.1fl7 7m0 -7l-7 7\"/>\n", px(bits[p]) - 3.5, py(kld[p]) - 3.5
	else
		printf "<circle class=\"mixture\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n", px(bits[p]), py(kld[p])
}
{
	if (!($1 in seen)) {
		seen[$1] = 1
		model[++models] = $1
	}
	n++
	of[n] = $1; kind[n] = $2; label[n] = $3; bits[n] = $5; kld[n] = $6
}
END {
	width = 236; height = 300; top = 40; low = 3e-6; high = 1
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " 66 + models * (width + 22) " 420\" font-family=\"system-ui,sans-serif\" font-size=\"11\">"
	print "<style>text{fill:#57606a}.name{fill:#24292f;font-size:13px;font-weight:600}.grid{stroke:#8883}" \
		".curve{fill:none;stroke:#0b7fa5;stroke-width:2}.mixture{fill:#0b7fa5}.type{fill:#d1622b}.rounded{fill:none;stroke:#8b949e;stroke-width:1.6}" \
		"@media(prefers-color-scheme:dark){text{fill:#9198a1}.name{fill:#e6e7ea}.curve{stroke:#4cb9e0}.mixture{fill:#4cb9e0}.type{fill:#f0883e}}</style>"
	for (m = 1; m <= models; m++) {
		left = 60 + (m - 1) * (width + 22)
		printf "<text class=\"name\" x=\"%d\" y=\"26\">%s</text>\n", left, model[m]
		for (power = 1e-5; power < high; power *= 10) {
			printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", left, left + width, py(power), py(power)
			if (m == 1)
				printf "<text x=\"52\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", py(power) + 4, power
		}
		for (b = 4; b < 9; b++) {
			printf "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", px(b), px(b), top, top + height
			printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", px(b), top + height + 16, b
		}
		c = 0
		for (p = 1; p <= n; p++) {
			if (of[p] != model[m] || (kind[p] != "same" && kind[p] != "mixture"))
				continue
			for (at = c++; at > 0 && bits[order[at - 1]] > bits[p]; at--)
				order[at] = order[at - 1]
			order[at] = p
		}
		printf "<polyline class=\"curve\" points=\""
		for (i = 0; i < c; i++)
			printf "%.1f,%.1f ", px(bits[order[i]]), py(kld[order[i]])
		print "\"/>"
		for (i = 0; i < c; i++)
			dot("mixture", order[i])
		for (p = 1; p <= n; p++) {
			if (of[p] != model[m] || kind[p] == "same" || kind[p] == "mixture")
				continue
			dot(kind[p], p)
			if (kind[p] == "rounded")
				printf "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", px(bits[p]) + 7, py(kld[p]) - 5, label[p]
		}
	}
	left = 60
	y = top + height + 36
	printf "<text x=\"%d\" y=\"%d\">bits a weight</text>\n", left, y
	printf "<text transform=\"rotate(-90)\" x=\"-%d\" y=\"12\" text-anchor=\"middle\">KL divergence, nats</text>\n", top + height / 2
	y += 24
	printf "<circle class=\"mixture\" cx=\"%d\" cy=\"%d\" r=\"2.5\"/><text x=\"%d\" y=\"%d\">mixtures (--bits, --budget)</text>\n", left + 5, y - 4, left + 14, y
	printf "<circle class=\"type\" cx=\"%d\" cy=\"%d\" r=\"4\"/><text x=\"%d\" y=\"%d\">--type, embedding and head at q8</text>\n", left + 190, y - 4, left + 199, y
	printf "<rect class=\"type\" x=\"%d\" y=\"%d\" width=\"7\" height=\"7\"/><text x=\"%d\" y=\"%d\">one type everywhere</text>\n", left + 400, y - 8, left + 412, y
	printf "<path class=\"rounded\" d=\"M%d %dl7 7m0 -7l-7 7\"/><text x=\"%d\" y=\"%d\">--type, plain rounding</text>\n", left + 550, y - 8, left + 562, y
	print "</svg>"
}
AWK
}

case ${1-} in
--table) table "$2" ;;
--draw) shift; draw "$@" ;;
*) measure "$@" ;;
esac
