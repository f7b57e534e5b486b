#!/bin/sh
# Only format/portable.c, format/tool/shortened.c and sandbox.c use what Linux has beyond POSIX; a build without it (make POSIX=1) does not either.
. tests/script.sh
others=$(find format runtime convert quant -name '*.[ch]' ! -path format/portable.c ! -path format/tool/shortened.c ! -path format/tool/sandbox.c)
# shellcheck disable=SC2086
none "headers that only Linux has" "$(grep -nE '#[ 	]*include <(linux/|sys/(auxv|epoll|eventfd|inotify|prctl|random|sendfile|signalfd|syscall|timerfd|vfs)\.h|malloc\.h|sched\.h)' $others)"
# shellcheck disable=SC2086
none "paths that only Linux has" "$(grep -nE '"/(proc|sys)/' $others)"

# What the compiler left for the linker, so that comments and names of our own do not count.
linux='syscall|futex|getrandom|renameat2|linkat|fallocate(64)?|sync_file_range|readahead|posix_fadvise(64)?|mallopt|malloc_trim'
linux="$linux|sched_[a-z]*affinity|sched_getcpu|__sched_cpu[a-z]*|pthread_[sg]etaffinity_np|getauxval|madvise|mremap|memfd_create"
linux="$linux|epoll_.*|eventfd|signalfd|timerfd_.*|inotify_.*|prctl|accept4|pipe2|sendfile(64)?|copy_file_range|splice|statx|qsort_r"
objects=$(find "$MOTE_BUILD/format" "$MOTE_BUILD/runtime" "$MOTE_BUILD/convert" "$MOTE_BUILD/quant" -name '*.o')
[ -n "$objects" ] || { echo "$MOTE_BUILD: no objects"; exit 1; }
[ "$(basename "$MOTE_BUILD")" = posix ] || objects=$(echo "$objects" | grep -v -e '/format/portable\.o$' -e '/format/tool/sandbox\.o$')
# shellcheck disable=SC2086
none "functions that only Linux has" "$(nm -A -u $objects | grep -E " U ($linux)$")"

finish
