#!/bin/sh
# make help names every target that people call, and none that is not there; make dist is the same archive each time,
# holds what git tracks, and what is in it knows its targets and its version; Debian's control file builds with what
# make deps installs.
. tests/script.sh
dir=$work

# a make of its own, not the one that runs this
unset MAKEFLAGS MFLAGS MAKELEVEL

make -s help >"$dir/help"
sed -n 's/^make \([a-z][a-z-]*\).*/\1/p' "$dir/help" | sort -u >"$dir/named"
# what is .PHONY, without what these call: names that end in -run, and the check for libraries
sed -n 's/^\.PHONY: //p' Makefile | tr ' ' '\n' | grep -v -e '-run$' -e '^libraries$' -e '^all$' -e '^FORCE$' |
	sort -u >"$dir/targets"
check "make check is in make help" grep -q '^check$' "$dir/named"
check "named and there: $(diff "$dir/named" "$dir/targets")" cmp -s "$dir/named" "$dir/targets"

version=$(sed -n 's/.*MOTE_VERSION "\(.*\)"/\1/p' format/version.h)
check "the version of the Debian package" sh -c "head -1 docs/debian/changelog | grep -q '^mote ($version-'"
for package in $(sed -n 's/^DEBIAN_PACKAGES [:+]*= //p' Makefile | tr ' ' '\n' | grep -v '^g++$'); do
	check "docs/debian/control builds with $package" sh -c "sed -n '/^Build-Depends/,/^[^ B]/p' docs/debian/control | grep -q '[ ]$package\>'"
done

check "the Debian package has the units" grep -q '^usr/lib/systemd/system/mote-serve\.\* ' docs/debian/mote.install

if git rev-parse -q --verify HEAD >/dev/null 2>&1; then
	check "make dist" make -s dist DIST="$dir/one.tar.gz"
	sleep 1
	check "once more, and another umask" sh -c "umask 077; make -s dist DIST='$dir/two.tar.gz'"
	check "the same bytes" cmp "$dir/one.tar.gz" "$dir/two.tar.gz"
	tar -xzf "$dir/one.tar.gz" -C "$dir"
	check "one folder" test "$(ls "$dir" | grep mote)" = "mote-$version"
	(cd "$dir/mote-$version" && find . -type f -o -type l) | sed 's|^\./||' | sort >"$dir/held"
	git ls-tree -r --name-only HEAD | sort >"$dir/tracked"
	check "what git tracks: $(diff "$dir/held" "$dir/tracked")" cmp -s "$dir/held" "$dir/tracked"
	check "its targets" test "$(make -s -C "$dir/mote-$version" help)" = \
		"$(git show HEAD:Makefile | sed -n '/^#/!q;s/^#   //p')"
	check "the version has its entry in docs/CHANGELOG.md" grep -q "^## $version " docs/CHANGELOG.md
fi

finish
