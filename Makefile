# mote's only build file; README.md says how to use it.
#
#   make               tools and library into build/release
#   make demo          installs what is missing, builds, converts, quantizes, validates, answers
#   make check         every test that needs nothing but this repository
#   make conformance   every test against the data in DATA
#   make families      every family of models, and training, against a reference in PyTorch
#   make differential  long comparisons with Jinja2 and Python's regex
#   make fuzz TIME=60  every fuzzer for so many seconds (clang)
#   make faults        every call to the system fails once, in every tool's main jobs (up to an hour of processor time; FAULTS="--stacks 3 --job run")
#   make tsan          main jobs of all tools, and a server under load, with ThreadSanitizer
#   make valgrind      the same under valgrind
#   make analyze       clang-tidy, cppcheck and gcc's analyzer; tests/analyze.txt explains what they find and is none
#   make mutants       which changed lines no test notices (hours; MUTANTS="--count 150 --seed 1 FILE.c")
#   make coverage      which lines make check runs; the last line: per cent, by folder and of all
#   make install       tools, library, header, man pages, documents and completions below DESTDIR/PREFIX
#   make uninstall     takes them away
#   make deps          the Debian packages that building and `make check` need
#   make deps-test     and those which the other targets above need
#   make neon-check    the AArch64 kernels under emulation
#   make arm-check     tests on a whole AArch64 machine, emulated (ARM_TESTS="test_pool tests/cli/run.sh"; as root)
#   make portability   without what only Linux has, with another C library's headers, for AArch64
#   make mpi-check     a build with MPI=1 under mpirun
#   make deps-mpi      the Debian packages that MPI=1 needs
#   make dist          build/mote-VERSION.tar.gz, the same bytes from the same commit
#   make deb           Debian packages mote, libmote1 and libmote-dev, and their source, in build/deb
#   make deb-check     makes them, asks lintian, installs them below a folder, runs what is there, removes them
#   make clean         removes build
#   make help          this list
#
# SERVER=0 leaves out mote-serve, which needs libmicrohttpd.
# config=release|debug|sanitize|tsan|coverage|fuzz|posix; objects go to build/CONFIG. POSIX=1 is config=posix: nothing that
# only Linux has.
config ?= $(if $(POSIX),posix,release)
PREFIX ?= /usr/local
LIBDIR ?= lib
DESTDIR ?=
DATA ?= ../shared/data
# An environment may hold a TIME for the program of that name.
FUZZ_SECONDS ?= $(if $(filter command%,$(origin TIME)),$(TIME),60)
FAULTS ?=
MUTANTS ?=
SERVER ?= 1
MPI ?= 0
MPI_CC ?= mpicc
DEBIAN_MPI_PACKAGES := libopenmpi-dev openmpi-bin parallel
B := build/$(config)

PACKAGES := libzstd libcjson libutf8proc libxxhash libpcre2-8
# What single tools need besides.
mote-run_PACKAGES := libedit
TOOL_PACKAGES := libedit
DEBIAN_PACKAGES := pkg-config g++ libzstd-dev libcjson-dev libutf8proc-dev libxxhash-dev libpcre2-dev libedit-dev libcmocka-dev
DEBIAN_TEST_PACKAGES := clang clang-tidy libclang-rt-14-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static \
	musl-tools musl-dev python3-numpy python3-torch libopenblas0-pthread xxhash python3-jinja2 python3-regex chromium cppcheck \
	python3-jsonschema

ifneq ($(SERVER),0)
mote-serve_PACKAGES := libmicrohttpd
TOOL_PACKAGES += libmicrohttpd
DEBIAN_PACKAGES += libmicrohttpd-dev
endif

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Wpointer-arith -Wvla \
	-Wwrite-strings -Wcast-qual
LANGUAGE := -std=c11 -D_GNU_SOURCE -ffp-contract=off -I. -pthread
# Objects serve the static and the shared library, which shows programs nothing but what mote.h declares.
LIBRARY_CODE := -fPIC -fvisibility=hidden
CONFIG_release := -O2 -g -DNDEBUG
CONFIG_posix := $(CONFIG_release) -DMOTE_POSIX
CONFIG_debug := -O0 -g
CONFIG_sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CONFIG_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CONFIG_coverage := -O1 -g --coverage
CONFIG_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(config),fuzz)
CC := clang
endif
CFLAGS ?=
# What an attacker meets who found a way to write where he should not: release builds only, and packagers who set flags
# of their own say HARDENING= HARDENING_LINK=. glibc's checks need an optimizer, and a sanitizer has its own. The kernels
# go without canaries: they index by shapes that were checked, and are all that runs per token.
NO_FORTIFY = $(or $(findstring -O0,$(CFLAGS)),$(findstring _FORTIFY_SOURCE,$(CFLAGS)),$(findstring -fsanitize,$(CFLAGS)))
HARDENING ?= $(if $(NO_FORTIFY),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -fstack-protector-strong
HARDENING_LINK ?= -Wl,-z,relro,-z,now
PKG_CONFIG ?= pkg-config
LIBRARIES = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lm
COMPILE = $(CC) $(LANGUAGE) $(WARNINGS) $(LIBRARY_CODE) $(CONFIG_$(config)) $(HARDENED) $(INCLUDES) $(CFLAGS) -MMD -MP
LINK = $(if $(filter $(MPI_TOOLS),$(@F)),$(MPI_CC),$(CC)) $(CONFIG_$(config)) -pthread $(HARDENED_LINK) $(CFLAGS) $(LDFLAGS)
HARDENED = $(if $(filter release,$(config)),$(HARDENING))
HARDENED_LINK = $(if $(filter release,$(config)),$(HARDENING_LINK))
INCLUDES := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)

# A tool's main() is FLOOR/mote-NAME.c; FLOOR/NAME_*.c are its too. Everything else on the floors is the library,
# except format/tool, which prints and therefore belongs to the tools.
TOOL_SOURCES := $(wildcard format/mote-*.c runtime/mote-*.c convert/mote-*.c quant/mote-*.c)
ifeq ($(SERVER),0)
TOOL_SOURCES := $(filter-out runtime/mote-serve.c,$(TOOL_SOURCES))
endif
tool_parts = $(wildcard $(subst /mote-,/,$(1:.c=_*.c)))
TOOL_PARTS := $(call tool_parts,$(TOOL_SOURCES))
TOOLS := $(TOOL_SOURCES:%.c=$(B)/%)
TOOLS := $(addprefix $(B)/,$(notdir $(TOOLS)))
CONSOLE_SOURCES := $(wildcard format/tool/*.c)
CONSOLE_OBJECTS := $(CONSOLE_SOURCES:%.c=$(B)/%.o)
# The server's room belongs to mote-serve, so that nobody else needs its library.
SERVE_SOURCES := $(wildcard runtime/serve/*.c)
SERVE_OBJECTS := $(SERVE_SOURCES:%.c=$(B)/%.o) $(B)/runtime/serve/page.o
# A team of processes belongs to the tools that measure; which transport it has is MPI's choice alone.
TEAM_TOOLS := mote-eval mote-perplexity mote-quantize
MPI_TOOLS := $(if $(filter 0,$(MPI)),,$(TEAM_TOOLS))
TEAM_SOURCES := $(wildcard quant/team/*.c)
TEAM_OBJECTS := $(B)/quant/team/share.o $(B)/quant/team/team_$(if $(filter 0,$(MPI)),alone,mpi).o
LIB_SOURCES := $(filter-out $(TOOL_SOURCES) $(TOOL_PARTS) $(CONSOLE_SOURCES) $(SERVE_SOURCES) $(TEAM_SOURCES) $(wildcard runtime/*.c), \
	$(sort $(shell find format runtime convert quant -name '*.c')))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(B)/%.o)
TEST_SOURCES := $(wildcard tests/test_*.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
TESTS := $(TEST_SOURCES:tests/%.c=$(B)/%) $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=$(B)/test_replay_%)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(B)/%)

# What is being made, in a line each; V=1 shows the commands, -s nothing.
ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
say = @
else ifeq ($(V),)
say = @echo "  $(1)  $(2)";
endif

VERSION := $(shell sed -n 's/.*MOTE_VERSION "\(.*\)"/\1/p' format/version.h)
SONAME := libmote.so.$(firstword $(subst ., ,$(VERSION)))
SHARED := $(B)/libmote.so.$(VERSION)

all: $(TOOLS) $(B)/libmote.a $(SHARED)

libraries:
	@$(PKG_CONFIG) --exists $(PACKAGES) $(TOOL_PACKAGES) || { echo "libraries are missing: run make deps" >&2; exit 1; }

$(B)/libmote.a: $(LIB_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

# The functions of mote.h and what they need of the rest.
$(SHARED): $(filter $(B)/runtime/api/%,$(LIB_OBJECTS)) $(B)/libmote.a
	$(call say,LD,$@)$(LINK) -shared -Wl,-soname,$(SONAME) $^ $(LIBRARIES) -o $@
	@ln -sf $(@F) $(B)/$(SONAME)
	@ln -sf $(SONAME) $(B)/libmote.so

# A test may call for the effect alone; what the product does with a status is what the warning is for.
$(B)/tests/%.o: WARNINGS += -Wno-unused-result

$(B)/runtime/kernels/%.o: HARDENING := $(filter-out -fstack-protector%,$(HARDENING))

# Intrinsics take a compiler with both sanitizers minutes, and the tests six times as long. Their own test has guard
# pages, and what calls them is watched with the scalar kernels, whose buffers are the same.
$(B)/runtime/kernels/x86/%.o: CONFIG_fuzz := -O2 -g
$(B)/runtime/kernels/x86/%.o: CONFIG_sanitize := -O2 -g

# Lines are counted a little coarser than without an optimizer, and what calculates takes half to a tenth of the time.
# Tests' own lines are not counted.
$(B)/tests/%.o: CONFIG_coverage := -O1 -g

# Flags are in this file: when it changes, so do the objects. Other flags from outside want another B.
$(B)/%.o: %.c Makefile | libraries
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -c $< -o $@

-include $(TEAM_SOURCES:%.c=$(B)/%.d)
# Written anew when the transport changes, so that the tools are linked again.
TRANSPORT := $(B)/transport
$(TRANSPORT): FORCE
	@mkdir -p $(@D)
	@echo $(MPI) | cmp -s - $@ || echo $(MPI) >$@
.PHONY: FORCE

# MPI's headers are not ours to warn about.
$(B)/quant/team/team_mpi.o: override CC := $(MPI_CC)
$(B)/quant/team/team_mpi.o: WARNINGS += -Wno-conversion -Wno-cast-qual -Wno-undef

define tool_rule
$(B)/$(basename $(notdir $(1))): $(patsubst %.c,$(B)/%.o,$(1) $(call tool_parts,$(1))) \
		$(if $(filter %/mote-serve.c,$(1)),$(SERVE_OBJECTS)) \
		$(if $(filter $(TEAM_TOOLS:%=quant/%.c),$(1)),$(TEAM_OBJECTS) $(TRANSPORT)) $(CONSOLE_OBJECTS) $(B)/libmote.a
	$$(call say,LD,$$@)$$(LINK) $$(filter-out $(TRANSPORT),$$^) $$(LIBRARIES) $$(if $$($$(@F)_PACKAGES),$$(shell $$(PKG_CONFIG) --libs $$($$(@F)_PACKAGES))) -o $$@
endef
$(foreach source,$(TOOL_SOURCES),$(eval $(call tool_rule,$(source))))

# The chat page as a C string, a line each.
$(B)/runtime/serve/page.c: runtime/serve/page.html
	@mkdir -p $(@D)
	$(call say,GEN,$@){ echo '#include "runtime/serve/routes.h"'; echo 'const char mote_page[] ='; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $<; echo ';'; } >$@

$(B)/runtime/serve/page.o: $(B)/runtime/serve/page.c
	$(call say,CC,$@)$(COMPILE) -c $< -o $@

$(B)/test_%: $(B)/tests/test_%.o $(CONSOLE_OBJECTS) $(B)/libmote.a
	$(call say,LD,$@)$(LINK) $^ -lcmocka $(LIBRARIES) -o $@

# A fuzzer's corpus replayed, in a program each.
REPLAY_OBJECTS := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=$(B)/tests/replay_%.o)
$(REPLAY_OBJECTS): $(B)/tests/replay_%.o: tests/replay.c | libraries
	@mkdir -p $(@D)
	$(call say,CC,$@)$(COMPILE) -DFUZZER='"$*"' -DFUZZER_SOURCE='"tests/fuzz/fuzz_$*.c"' -c $< -o $@

$(B)/test_replay_%: $(B)/tests/replay_%.o $(CONSOLE_OBJECTS) $(B)/libmote.a
	$(call say,LD,$@)$(LINK) $^ -lcmocka $(LIBRARIES) -o $@

# What reads requests' bodies needs nothing of HTTP.
ASK_OBJECTS := $(addprefix $(B)/runtime/serve/,ask.o ask_grammar.o ask_messages.o ask_settings.o bytes.o)
$(B)/fuzz_request $(B)/test_replay_request: $(ASK_OBJECTS)
$(B)/fuzz_request $(B)/test_replay_request: LIBRARIES += $(B)/libmote.a

# Nor what reads sessions the rest of mote-run.
$(B)/fuzz_session $(B)/test_replay_session: $(B)/runtime/run_session.o
$(B)/fuzz_session $(B)/test_replay_session: LIBRARIES += $(B)/libmote.a

# Nor what shares a measurement a tool.
$(B)/test_part: $(B)/quant/team/share.o $(B)/quant/team/team_alone.o
$(B)/test_part: LIBRARIES += $(B)/libmote.a

# A driver feeds a room from a script of tests/differential, tests/conformance or tests/families.
$(B)/drive_%: $(B)/tests/drive_%.o $(B)/libmote.a
	$(call say,LD,$@)$(LINK) $^ $(LIBRARIES) -o $@

$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libmote.a
	$(call say,LD,$@)$(LINK) -fsanitize=fuzzer $^ $(LIBRARIES) -o $@

# demo and check install what is missing first, then start over so that pkg-config is there.
demo: deps
	@$(MAKE) --no-print-directory all
	@tests/demo.sh $(B)

check: deps
	@$(MAKE) --no-print-directory check-run

check-run: all $(TESTS)
	@tests/run.sh $(B) $(TESTS) tests/cli/*.sh

conformance: all $(B)/drive_template
	@DATA=$(DATA) tests/run.sh $(B) tests/conformance/*.sh

.PHONY: families
families: all $(B)/drive_logits $(B)/drive_train
	@DATA=$(DATA) tests/run.sh $(B) tests/families/*.sh

differential: all $(B)/drive_template $(B)/drive_grammar
	@tests/run.sh $(B) tests/differential/*.sh

# The AArch64 kernels under emulation: every table against the scalar reference there, and the reference against
# that of this machine by one hash. The room needs no library, so that a cross compiler is all it takes.
NEON_CC ?= aarch64-linux-gnu-gcc
NEON_SOURCES := tests/test_kernels.c $(wildcard runtime/kernels/*.c runtime/kernels/*/*.c) format/block.c format/portable.c format/status.c format/utf8.c
build/neon/test_kernels: $(NEON_SOURCES) tests/kernel_inputs.h $(wildcard runtime/kernels/*.h runtime/kernels/*/*.h format/*.h)
	@mkdir -p $(@D)
	$(NEON_CC) -O2 $(LANGUAGE) $(WARNINGS) -Wno-unused-result -static $(NEON_SOURCES) -lm -o $@

# And products for training.
GEMM_SOURCES := tests/test_gemm.c $(filter-out tests/%,$(NEON_SOURCES))
build/neon/test_gemm: $(GEMM_SOURCES) tests/kernel_inputs.h $(wildcard runtime/kernels/*.h runtime/kernels/*/*.h format/*.h)
	@mkdir -p $(@D)
	$(NEON_CC) -O2 $(LANGUAGE) $(WARNINGS) -static $(GEMM_SOURCES) -lm -o $@

# And whole forward passes: every table, thread count and batch size there, and the same logits as here.
FORWARD_BITS_SOURCES := tests/neon/forward_bits.c $(filter-out tests/%,$(NEON_SOURCES)) \
	$(addprefix runtime/model/,architecture.c session.c batch.c workspace.c kv_cache.c forward.c share_out.c share_turn.c rope.c memory.c finite_check.c)
FORWARD_BITS_HEADERS := $(wildcard runtime/*/*.h runtime/*/*/*.h format/*.h tests/*.h)
build/neon/forward_bits: $(FORWARD_BITS_SOURCES) $(FORWARD_BITS_HEADERS)
	@mkdir -p $(@D)
	$(NEON_CC) -O2 $(LANGUAGE) $(WARNINGS) -static $(FORWARD_BITS_SOURCES) -o $@
build/neon/forward_bits_here: $(FORWARD_BITS_SOURCES) $(FORWARD_BITS_HEADERS)
	@mkdir -p $(@D)
	$(CC) -O2 $(LANGUAGE) $(WARNINGS) $(FORWARD_BITS_SOURCES) -o $@

# What each prints there; make -j runs them side by side.
NEON_RUN = qemu-aarch64-static -cpu max $< $(1) >$@ || { cat $@; rm $@; exit 1; }
build/neon/%.out: build/neon/%
	$(call NEON_RUN)
build/neon/digest.out: build/neon/test_kernels
	$(call NEON_RUN,--digest)

neon-check: $(addprefix build/neon/,test_kernels.out digest.out test_gemm.out forward_bits.out forward_bits_here) $(B)/test_kernels
	cat build/neon/test_kernels.out build/neon/test_gemm.out
	test "$$(cat build/neon/digest.out)" = "$$($(B)/test_kernels --digest)"
	build/neon/forward_bits_here
	test "$$(cat build/neon/forward_bits.out)" = "$$(build/neon/forward_bits_here)"

ARM_TESTS ?= test_sandbox tests/cli/sandbox.sh
arm-check:
	@tests/deps.sh gcc-aarch64-linux-gnu debootstrap qemu-system-arm cpio
	@mkdir -p build/arm
	@tests/neon/system.sh build/arm "$(filter-out pkg-config g++,$(DEBIAN_PACKAGES))" $(ARM_TESTS)

$(B)/libfaults.so: $(wildcard tests/faults/*.c) tests/faults/choice.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LANGUAGE) $(WARNINGS) -O1 -fPIC -shared $(filter %.c,$^) -o $@ -ldl

faults: all $(B)/libfaults.so
	@python3 tests/faults/sweep.py $(B) $(B)/libfaults.so $(FAULTS)

coverage:
	@$(MAKE) --no-print-directory config=coverage coverage-run

coverage-run: all $(TESTS)
	@find $(B) -name '*.gcda' -delete
	@tests/run.sh $(B) $(TESTS) tests/cli/*.sh
	@python3 tests/coverage.py $(B)

# Everything is instrumented, kernels too; but not what picks a function while the program is being loaded (row_lanes.h).
tsan:
	@$(MAKE) --no-print-directory config=tsan tsan-run

TSAN_TESTS := $(addprefix $(B)/test_,pool scheduler sequences pass)
tsan-run: all $(TSAN_TESTS)
	@tests/jobs.sh tsan $(B) $(TSAN_TESTS)

valgrind: all
	@tests/deps.sh valgrind
	@tests/jobs.sh valgrind $(B)

analyze: libraries
	@tests/analyze.sh

mutants:
	@python3 tests/mutants.py $(MUTANTS)

fuzz:
	@$(MAKE) --no-print-directory config=fuzz fuzz-run

fuzz-run: $(FUZZERS)
	@tests/fuzz/run.sh $(B) $(FUZZ_SECONDS)

deps:
	@tests/deps.sh $(DEBIAN_PACKAGES)

help:
	@sed -n '/^#/!q;s/^#   //p' Makefile

# The whole program without what only Linux has, unoptimized as that is quick, and the tests of what differs: threads that
# sleep, files that get names. Then every source through other headers.
portability:
	@$(MAKE) --no-print-directory config=posix B=build/portability/posix CONFIG_posix="-O0 -DMOTE_POSIX" portability-run
	@tests/portability.sh $(LIB_SOURCES) $(CONSOLE_SOURCES) $(TOOL_SOURCES) $(TOOL_PARTS) $(SERVE_SOURCES)

PORTABILITY_TESTS := $(addprefix $(B)/test_,pool writer container session sequences scheduler)
portability-run: all $(PORTABILITY_TESTS)
	@tests/run.sh $(B) $(PORTABILITY_TESTS) tests/cli/portable.sh tests/cli/output.sh

# What is in git, owned by nobody, at the time of the commit.
DIST = build/mote-$(VERSION).tar.gz
dist:
	@mkdir -p build
	@git rev-parse -q --verify HEAD >/dev/null || { echo "make dist: needs the repository, for what git tracks" >&2; exit 1; }
	git -c tar.umask=0022 archive --format=tar --prefix=mote-$(VERSION)/ HEAD | gzip -9n >$(DIST)

# A Debian source package is the archive, and docs/debian as its debian/. DEB_BUILD_OPTIONS=nocheck: make check is a call of
# its own; packagers who call dpkg-buildpackage themselves get the tests.
DEB := build/deb
deb: deps dist
	@tests/deps.sh debhelper
	rm -rf $(DEB)
	mkdir -p $(DEB)
	cp $(DIST) $(DEB)/mote_$(VERSION).orig.tar.gz
	tar -xzf $(DIST) -C $(DEB)
	cp -R $(DEB)/mote-$(VERSION)/docs/debian $(DEB)/mote-$(VERSION)/debian
	cd $(DEB)/mote-$(VERSION) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		DEB_BUILD_OPTIONS="nocheck parallel=$$(getconf _NPROCESSORS_ONLN) $(DEB_BUILD_OPTIONS)" dpkg-buildpackage -us -uc
	@ls $(DEB)/*.deb $(DEB)/*.dsc

deb-check: deb
	@tests/deps.sh lintian
	@tests/deb.sh $(DEB)

.PHONY: deps-mpi mpi-check
deps-mpi: deps
	@tests/deps.sh $(DEBIAN_MPI_PACKAGES)

mpi-check:
	@$(MAKE) --no-print-directory MPI=1 all
	@tests/run.sh $(B) tests/mpi/*.sh

deps-test: deps
	@tests/deps.sh $(DEBIAN_TEST_PACKAGES)

# A program finds a shared library in a folder of its own only by a run path, which packages must not have.
ROOT = $(DESTDIR)$(PREFIX)
# Words apart would be other folders.
ONE_ROOT = $(if $(word 2,$(ROOT)),$(error DESTDIR and PREFIX: "$(ROOT)" is more than one word; expected no spaces))
COMPLETIONS_BASH = $(ROOT)/share/bash-completion/completions
COMPLETIONS_ZSH = $(ROOT)/share/zsh/site-functions
UNITS = $(ROOT)/lib/systemd/system
UNIT_SOURCES := $(if $(filter-out 0,$(SERVER)),$(wildcard docs/systemd/*))
RUN_PATH = $(if $(filter /usr /usr/local,$(PREFIX)),, -Wl,-rpath,$${libdir})
DOCUMENTS = $(filter-out $(if $(filter 0,$(SERVER)),docs/server.md),$(wildcard docs/*.md docs/*.svg)) docs/ask.c LICENSE
PAGES = $(TOOLS:$(B)/%=docs/%.1)
INSTALLED = $(TOOLS:$(B)/%=bin/%) $(addprefix $(LIBDIR)/,libmote.a libmote.so $(SONAME) $(notdir $(SHARED)) pkgconfig/mote.pc) \
	$(addprefix share/doc/mote/,$(notdir $(DOCUMENTS))) include/mote.h $(PAGES:docs/%=share/man/man1/%) \
	$(UNIT_SOURCES:docs/systemd/%=lib/systemd/system/%) \
	$(patsubst $(B)/%,share/bash-completion/completions/%,$(TOOLS)) \
	$(patsubst $(B)/%,share/zsh/site-functions/_%,$(TOOLS))

install: all
	@:$(ONE_ROOT)
	install -d $(ROOT)/bin $(ROOT)/$(LIBDIR)/pkgconfig $(ROOT)/include $(ROOT)/share/man/man1 $(ROOT)/share/doc/mote
	install -m 755 $(TOOLS) $(ROOT)/bin
	install -m 644 $(B)/libmote.a $(SHARED) $(ROOT)/$(LIBDIR)
	ln -sf $(notdir $(SHARED)) $(ROOT)/$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(ROOT)/$(LIBDIR)/libmote.so
	install -m 644 runtime/api/mote.h $(ROOT)/include
	install -m 644 $(PAGES) $(ROOT)/share/man/man1
	$(if $(UNIT_SOURCES),install -d $(UNITS))
	for unit in $(notdir $(UNIT_SOURCES)); do \
		sed 's|/usr/local|$(PREFIX)|' docs/systemd/$$unit >$(UNITS)/$$unit || exit 1; done
	install -m 644 $(DOCUMENTS) $(ROOT)/share/doc/mote
	install -d $(COMPLETIONS_BASH) $(COMPLETIONS_ZSH)
	for tool in $(notdir $(TOOLS)); do \
		$(B)/$$tool --completion bash >$(COMPLETIONS_BASH)/$$tool && \
		$(B)/$$tool --completion zsh >$(COMPLETIONS_ZSH)/_$$tool || exit 1; done
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/$(LIBDIR)' 'includedir=$${prefix}/include' '' 'Name: mote' \
		'Description: runs small language models' 'Version: $(VERSION)' 'Requires.private: $(PACKAGES)' \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir}$(RUN_PATH) -lmote' 'Libs.private: -lm -pthread' \
		>$(ROOT)/$(LIBDIR)/pkgconfig/mote.pc
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

uninstall:
	@:$(ONE_ROOT)
	rm -f $(addprefix $(ROOT)/,$(INSTALLED))
	[ ! -d $(ROOT)/share/doc/mote ] || rmdir --ignore-fail-on-non-empty $(ROOT)/share/doc/mote

clean:
	rm -rf build

.PHONY: help portability portability-run dist deb deb-check all demo check check-run neon-check arm-check conformance differential faults tsan tsan-run valgrind analyze mutants coverage coverage-run fuzz fuzz-run deps deps-test install uninstall clean libraries
.SECONDARY:
-include $(LIB_OBJECTS:.o=.d) $(SERVE_OBJECTS:.o=.d) $(TOOL_SOURCES:%.c=$(B)/%.d) $(TEST_SOURCES:%.c=$(B)/%.d) \
	$(FUZZ_SOURCES:%.c=$(B)/%.d) $(REPLAY_OBJECTS:.o=.d) $(CONSOLE_OBJECTS:.o=.d) $(TOOL_PARTS:%.c=$(B)/%.d)
