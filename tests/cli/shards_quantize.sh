# Sensitivities in parts: a mixture's whole file is the same however the work was cut, and whenever a shard was killed.
. tests/strict.sh
case $B in
*sanitize*) echo "minutes under a sanitizer; what it shares with the other shards is looked at by shards.sh"; exit 0 ;;
esac

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
head -c 6000 $F/calibration.txt >"$D/calibration"
head -c 4000 $F/heldout.txt >"$D/heldout"
quantize() { # with a text, so that none is written, and with few matrices to choose for: 9
	"$B/mote-quantize" "$D/f.mote" --calibrate "$D/calibration" --encoder search --tensor '*mlp*=q4' \
		--tensor '*[koq]_proj*=q4' -q "$@"
}
part() { quantize --bits 4.5 --shard "$1/$2" -o "$D/$2-$1.part" -t 1; }
quantize --bits 4.5 --validate "$D/heldout" -o "$D/one.mote"
quantize --bits 5 --no-validate -o "$D/five.mote"
for n in 1 3 16; do
	for i in $(seq $n); do part "$i" $n; done
	quantize --merge "$D/$n"-*.part --bits 4.5 --validate "$D/heldout" -fo "$D/merged.mote"
	cmp "$D/one.mote" "$D/merged.mote" || fail "$n shards make another file"
done
quantize --merge "$D"/3-*.part --bits 5 --no-validate -o "$D/merged5.mote"
cmp "$D/five.mote" "$D/merged5.mote" || fail "the same parts do not serve another goal"

# Killed at a random moment: there is a whole part or none, and the same command gives the same part.
cp "$D/3-2.part" "$D/expected"
for delay in 0.05 "0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')"; do
	rm -f "$D/3-2.part"
	(exec "$B/mote-quantize" "$D/f.mote" --calibrate "$D/calibration" --encoder search --tensor '*mlp*=q4' \
		--tensor '*[koq]_proj*=q4' -q --bits 4.5 --shard 2/3 -o "$D/3-2.part" -t 1) &
	sleep "$delay"
	kill -9 $! 2>/dev/null || :
	wait $! 2>/dev/null || :
	[ ! -e "$D/3-2.part" ] || cmp "$D/expected" "$D/3-2.part" || fail "a killed shard left something else"
	part 2 3
	cmp "$D/expected" "$D/3-2.part" || fail "another part after $delay seconds"
done

# Refusals.
expect 3 'other inputs than this run: "encoder" differs' quantize --bits 4.5 --encoder gptq --merge "$D"/3-*.part --no-validate -o "$D/x.mote"
expect 3 'one of 3 shards, but 2' quantize --bits 4.5 --merge "$D/3-1.part" "$D/3-2.part" --no-validate -o "$D/x.mote"
expect 3 'no whole part' quantize --bits 4.5 --merge "$D/heldout" --no-validate -o "$D/x.mote"
expect 2 'for mixtures' quantize --type q4 --shard 1/2 -o "$D/x.part"
expect 2 'give the parts' quantize --bits 4.5 --merge -o "$D/x.mote"
expect 2 'unexpected argument' quantize --bits 4.5 -o "$D/x.mote" "$D/3-1.part"
expect 2 'is an input' quantize --bits 4.5 --shard 1/3 -fo "$D/f.mote"
expect 2 'is an input' quantize --bits 4.5 --merge "$D"/3-*.part --no-validate -fo "$D/3-1.part"
[ ! -e "$D/x.mote" ] && [ ! -e "$D/x.part" ] || fail "a refusal left a file"
