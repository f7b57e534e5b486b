# mote: see README.md. Targets: all demo check conformance install deps fuzz clean; config=release|debug|sanitize|coverage|fuzz
config ?= release
PREFIX ?= /usr/local
DESTDIR ?=
DATA ?= ../shared/data
B := build/$(config)

PACKAGES := libzstd libcjson libutf8proc libxxhash libpcre2-8
PKG_CONFIG ?= pkg-config
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Wpointer-arith -Wvla -Wwrite-strings -Wcast-qual
BASE := -std=c11 -D_GNU_SOURCE -ffp-contract=off -I. $(WARN) -pthread -MMD -MP
FLAGS_release := -O2 -g -DNDEBUG
FLAGS_debug := -O0 -g
FLAGS_sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_coverage := -O0 -g --coverage
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(config),fuzz)
CC := clang
endif
CFLAGS ?=
LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -pthread
INCLUDES := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
COMPILE = $(CC) $(BASE) $(FLAGS_$(config)) $(INCLUDES) $(CFLAGS)
LINK = $(CC) $(FLAGS_$(config)) $(CFLAGS) $(LDFLAGS)

# A tool's main() is the file mote-NAME.c; everything else in the floors is the library, except console.c,
# which prints and therefore belongs to the tools.
FLOORS := format runtime/kernels runtime/model runtime/text convert quant
TOOL_SOURCES := $(wildcard format/mote-*.c runtime/mote-*.c convert/mote-*.c quant/mote-*.c)
TOOLS := $(addprefix $(B)/,$(basename $(notdir $(TOOL_SOURCES))))
LIB_SOURCES := $(filter-out $(TOOL_SOURCES) format/console.c,$(wildcard $(addsuffix /*.c,$(FLOORS))))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(B)/%.o)
TEST_SOURCES := $(wildcard tests/test_*.c)
TESTS := $(TEST_SOURCES:tests/%.c=$(B)/%)

all: $(TOOLS) $(B)/libmote.a

$(B)/libmote.a: $(LIB_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(dir $@)
	$(COMPILE) -c $< -o $@

define TOOL_RULE
$(B)/$(basename $(notdir $(1))): $(B)/$(1:.c=.o) $(B)/format/console.o $(B)/libmote.a
	$$(LINK) $$^ $$(LIBS) -o $$@
endef
$(foreach source,$(TOOL_SOURCES),$(eval $(call TOOL_RULE,$(source))))

$(B)/test_%: $(B)/tests/test_%.o $(B)/format/console.o $(B)/libmote.a
	$(LINK) $^ -lcmocka $(LIBS) -o $@

check: all $(TESTS)
	@tests/run.sh $(B)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/bin

clean:
	rm -rf build

.PHONY: all check install clean demo conformance deps fuzz
.SECONDARY:
-include $(LIB_OBJECTS:.o=.d) $(TOOL_SOURCES:%.c=$(B)/%.d) $(TEST_SOURCES:tests/%.c=$(B)/tests/%.d)
