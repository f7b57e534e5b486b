#!/bin/sh
# The tools on a whole AArch64 machine, emulated, with Debian's kernel: what needs one, as the sandbox does.
#   tests/neon/system.sh FOLDER "PACKAGES" TEST...   PACKAGES: which building needs; TEST: tests/cli/NAME.sh or test_NAME
# Everything is made in FOLDER, Debian's part once.
set -eu
folder=$(realpath "$1") packages=$2
shift 2
root=$folder/root programs= tests=
for test in "$@"; do
	case $test in
	test_*) programs="$programs $folder/tools/$test" tests="$tests build/aarch64/$test" ;;
	*) tests="$tests $test" ;;
	esac
done

if [ ! -e "$folder/root.made" ]; then
	rm -rf "$root"
	debootstrap --arch=arm64 --foreign --variant=minbase \
		--include="$(echo "$packages" libc6-dev libgcc-12-dev python3-minimal libpython3-stdlib curl procps linux-image-cloud-arm64 | tr ' ' ,)" \
		bookworm "$root" >"$folder/debootstrap.log"
	for package in "$root"/var/cache/apt/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
	done
	ln -sf mawk "$root/usr/bin/awk"
	touch "$folder/root.made"
fi

# shellcheck disable=SC2086
PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
	make -s B="$folder/tools" CC="aarch64-linux-gnu-gcc --sysroot=$root" all $programs

# The machine's memory is its disk: Debian, then this repository, the tools and what to do with them.
rm -rf "$folder/added"
mkdir -p "$folder/added/mote/build/aarch64"
git ls-files -z | xargs -0 cp --parents -t "$folder/added/mote"
for program in "$folder"/tools/mote-* $programs; do
	aarch64-linux-gnu-strip -o "$folder/added/mote/build/aarch64/${program##*/}" "$program"
done
cat >"$folder/added/init" <<END
#!/bin/sh
rm -f /proc
mkdir -p /proc /sys /dev /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
export PATH=/usr/bin:/usr/sbin LC_ALL=C.UTF-8
python3 -c '
import fcntl, socket, struct
s = socket.socket()
get, set, up = 0x8913, 0x8914, 1
flags = struct.unpack("16xH14x", fcntl.ioctl(s, get, struct.pack("16sH14x", b"lo", 0)))[0]
fcntl.ioctl(s, set, struct.pack("16sH14x", b"lo", flags | up))'
cd /mote
uname -srm
sh tests/run.sh build/aarch64$tests
echo o >/proc/sysrq-trigger
sleep 60
END
chmod +x "$folder/added/init"
{
	(cd "$root" && find . \( -path ./var/cache -o -path ./usr/include -o -path ./usr/lib/modules -o -path ./usr/lib/gcc \
		-o -name '*.a' -o -path ./usr/share \) -prune -o -print | cpio -o -H newc --quiet)
	(cd "$folder/added" && find . | cpio -o -H newc --quiet)
} >"$folder/disk"
qemu-system-aarch64 -M virt -cpu max -smp 2 -m 4G -nographic -net none -no-reboot -kernel "$root"/boot/vmlinuz-* \
	-initrd "$folder/disk" -append "console=ttyAMA0 quiet panic=-1" </dev/null | sed -u 's/\r$//' | tee "$folder/system.log"
grep -q '^[1-9][0-9]* passed, 0 failed$' "$folder/system.log"
