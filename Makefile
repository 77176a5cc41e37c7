# kdc-chat: one make for everything. `make help` lists what it does.
#
# Sources are found by wildcard, so a new file in a room needs no line here. Everything that is built goes to
# $(BUILD); variants (SAN=address, SAN=thread, SAN=fuzz) have a $(BUILD) of their own.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
SHELL := /bin/bash
export LC_ALL := C.UTF-8

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= /usr/bin/python3

ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
ifeq ($(SAN),address)
BUILD ?= build/asan
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
BUILD ?= build/tsan
SAN_FLAGS := -fsanitize=thread -fno-omit-frame-pointer
else ifeq ($(SAN),fuzz)
BUILD ?= build/fuzz
CC := clang
SAN_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),)
BUILD ?= build
SAN_FLAGS :=
else
$(error SAN is address, thread, fuzz or empty, not '$(SAN)')
endif

# --- What needs no compiler and no libraries ---------------------------------------------------------------------
# These goals may install packages first, so nothing of this machine's libraries is looked at for them.

.PHONY: help run demo stop deps test check clean
help:
	@sed -n 's/^##  *//p' Makefile

##  make            build the programs into $(BUILD)/bin
##  make run        install what is missing, build, start the KDC if needed, and chat
##  make demo       the same without a terminal: two people talk, shown from all sides
##  make stop       end what run and demo started
##  make test       every test; the last line is "N passed, N failed"
##  make check      the quick part of the tests: build and unit tests
##  make lint       clang-format, cppcheck, clang-tidy, and the rooms' rules
##  make format     apply .clang-format
##  make units      build the unit tests;  make fuzzers: the fuzz targets (SAN=fuzz);  make benches: kdc-bench
##  make bench      measure the KDC beside its limits, and write docs/benchmarks.md (ten minutes);
##                  a part, and no document: make bench BENCH="--seconds 1 --only relay";  make tsan-bench: look for races
##  make deps       install the Debian packages that building, running and testing need
##  make manual     man pages and shell completions into $(BUILD)/manual
##  make install    into $(DESTDIR)$(PREFIX);  make uninstall: out of it
##  make clean      remove build/
##  Variables: CC=clang  SAN=address|thread|fuzz  BUILD=dir  WERROR= (warnings don't stop the build)  V=1 (commands)
run:
	@scripts/run.sh
demo:
	@scripts/demo.sh
stop:
	@scripts/stop.sh
deps:
	@scripts/deps.sh run test
test:
	@scripts/deps.sh run test
	@$(PYTHON) tests/run_tests.py
check:
	@scripts/deps.sh run test
	@$(PYTHON) tests/run_tests.py --quick
clean:
	rm -rf build

LIGHT_GOALS := help run demo stop deps test check clean
ifneq ($(filter-out $(LIGHT_GOALS),$(or $(MAKECMDGOALS),all)),)

# --- Flags -------------------------------------------------------------------------------------------------------

CONFIG := $(BUILD)/config-$(notdir $(CC)).mk
$(CONFIG): scripts/config.sh
	@mkdir -p $(@D)
	@scripts/config.sh '$(CC)' > $@.tmp && mv $@.tmp $@ || { rm -f $@.tmp; exit 1; }
include $(CONFIG)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wvla
WERROR ?= -Werror
ifeq ($(SAN),)
CFLAGS ?= -O2 -g
HARDEN := $(HARDEN_CFLAGS)
FORTIFY := -D_FORTIFY_SOURCE=2
else
# Sanitizers make gcc see warnings that aren't there; the plain builds are the ones that must be free of them.
CFLAGS ?= -O1 -g
override WERROR :=
HARDEN :=
FORTIFY :=
endif
CPPFLAGS_ALL := -I. -D_GNU_SOURCE $(FORTIFY) $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(WARNINGS) $(WERROR) $(CFLAGS) $(HARDEN) -fPIE -pthread $(SAN_FLAGS)
LDFLAGS_ALL := -pie -pthread -Wl,--as-needed $(HARDEN_LDFLAGS) $(SAN_FLAGS) $(LDFLAGS)

# --- Rooms -------------------------------------------------------------------------------------------------------
# Arrows point one way: kdc -> wire -> crypto, client -> wire -> crypto. A room gets only its own libraries' headers.

crypto_SRCS := $(filter-out crypto/password.c,$(wildcard crypto/*.c))
password_SRCS := $(wildcard crypto/password.c)
wire_SRCS := $(wildcard wire/*.c)
kdc_SRCS := $(wildcard kdc/*.c)
kdcd_SRCS := $(wildcard kdc/kdcd/*.c)
admin_SRCS := $(wildcard kdc/admin/*.c)
client_SRCS := $(wildcard client/*.c)
cli_SRCS := $(wildcard client/cli/*.c)
support_SRCS := $(wildcard tests/support/*.c) $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
relay_SRCS := $(wildcard tests/bench/bare_relay.c)
preload_SRCS := $(wildcard tests/bench/quick_bcrypt.c)
bench_SRCS := $(filter-out $(relay_SRCS) $(preload_SRCS),$(wildcard tests/bench/*.c))
unit_SRCS := $(wildcard tests/unit/test_*.c)
probe_SRCS := $(wildcard tests/integration/*.c)
fuzz_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
manual_SRCS := $(wildcard scripts/manual/*.c)
SQL_FILES := $(shell find sql -name '*.sql' -o -name '*.txt' | LC_ALL=C sort)

PROGRAM_SRCS := $(crypto_SRCS) $(password_SRCS) $(wire_SRCS) $(kdc_SRCS) $(kdcd_SRCS) $(admin_SRCS) $(client_SRCS) \
	$(cli_SRCS)
TEST_SRCS := $(support_SRCS) $(bench_SRCS) $(relay_SRCS) $(preload_SRCS) $(unit_SRCS) $(probe_SRCS) $(fuzz_SRCS)
ALL_SRCS := $(PROGRAM_SRCS) $(TEST_SRCS) $(manual_SRCS)
ALL_HEADERS := $(wildcard crypto/*.h wire/*.h kdc/*.h kdc/*/*.h client/*.h client/*/*.h tests/*/*.h scripts/*/*.h)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
archive = $(BUILD)/lib/$(1).a

# What a source file may include, by its room.
room_cflags = $(strip $(CRYPTO_CFLAGS) \
	$(if $(filter crypto/password.c,$(1)),$(PASSWORD_CFLAGS)) \
	$(if $(filter wire/%,$(1)),$(WIRE_CFLAGS)) \
	$(if $(filter kdc/%,$(1)),$(KDC_CFLAGS)) \
	$(if $(filter client/%,$(1)),$(CLIENT_CFLAGS)) \
	$(if $(filter client/cli/%,$(1)),$(CLI_CFLAGS)) \
	$(if $(filter tests/% scripts/%,$(1)),$(KDC_CFLAGS) $(CLIENT_CFLAGS) $(CLI_CFLAGS) $(PASSWORD_CFLAGS)))

# --- Programs ----------------------------------------------------------------------------------------------------

# A program is there as soon as its room has sources.
PROGRAMS := $(if $(kdcd_SRCS),$(BUILD)/bin/kdcd) $(if $(admin_SRCS),$(BUILD)/bin/kdc-admin) \
	$(if $(cli_SRCS),$(BUILD)/bin/kdc-chat)

.PHONY: all units fuzzers benches bench tsan-bench lib
BENCH ?=
all: $(PROGRAMS) lib
lib: $(if $(client_SRCS),$(BUILD)/libkdcchat.a $(BUILD)/libkdcchat.pc)
units: $(unit_SRCS:tests/unit/%.c=$(BUILD)/unit/%) $(probe_SRCS:tests/integration/%.c=$(BUILD)/probe/%)
benches: $(if $(bench_SRCS),$(BUILD)/bin/kdc-bench $(BUILD)/bin/kdc-bench-relay $(BUILD)/lib/quick_bcrypt.so)
# Without gnuplot or perf it goes on, and says what is left out.
bench: all benches
	@scripts/deps.sh run bench || echo 'bench: going on without what is missing'
	@$(PYTHON) tests/bench/run.py $(BENCH) $(BUILD)/bin
# kdcd under ThreadSanitizer with messages and logins at once; a report of a race makes kdc-bench fail.
tsan-bench:
	@$(MAKE) --no-print-directory SAN=thread BUILD=build/tsan all benches
	@tests/bench/tsan.sh build/tsan/bin

KDC_ARCHIVES := $(call archive,kdc) $(call archive,wire) $(call archive,password) $(call archive,crypto)
CLIENT_ARCHIVES := $(call archive,client) $(call archive,wire) $(call archive,crypto)
# While one works on a room, ROOMS='wire crypto support' links a test without the others.
ROOMS ?= support kdcd admin cli client kdc wire password crypto
EVERY_ARCHIVE := $(foreach room,$(ROOMS),$(call archive,$(room)))
KDC_LINK := $(KDC_LIBS) $(PASSWORD_LIBS) $(WIRE_LIBS) $(CRYPTO_LIBS)
CLIENT_LINK := $(CLIENT_LIBS) $(CLI_LIBS) $(WIRE_LIBS) $(CRYPTO_LIBS)

$(BUILD)/bin/kdcd: $(call objects,$(kdcd_SRCS)) $(KDC_ARCHIVES)
$(BUILD)/bin/kdcd: LINK = $(KDC_LINK)
$(BUILD)/bin/kdc-admin: $(call objects,$(admin_SRCS)) $(KDC_ARCHIVES)
$(BUILD)/bin/kdc-admin: LINK = $(KDC_LINK)
$(BUILD)/bin/kdc-chat: $(call objects,$(cli_SRCS)) $(CLIENT_ARCHIVES)
$(BUILD)/bin/kdc-chat: LINK = $(CLIENT_LINK)
$(BUILD)/bin/kdc-bench: $(call objects,$(bench_SRCS)) $(call archive,wire) $(call archive,crypto)
$(BUILD)/bin/kdc-bench: LINK = $(KDC_LINK)
$(BUILD)/bin/kdc-bench-relay: $(call objects,$(relay_SRCS)) $(KDC_ARCHIVES)
$(BUILD)/bin/kdc-bench-relay: LINK = $(KDC_LINK)
$(addprefix $(BUILD)/bin/,kdcd kdc-admin kdc-chat kdc-bench kdc-bench-relay): $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LINK)

# Preloaded into a kdcd that kdc-bench fills with sessions.
$(BUILD)/lib/quick_bcrypt.so: $(preload_SRCS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(filter-out -fPIE,$(CFLAGS_ALL)) -fPIC -shared -o $@ $<

# --- Archives ----------------------------------------------------------------------------------------------------
# One for each room, so that a test can take any part; an object comes into a program only when it is needed.

define archive_rule
$(call archive,$(1)): $(call objects,$(2))
endef
$(foreach room,support kdcd admin cli client wire password crypto,$(eval $(call archive_rule,$(room),$($(room)_SRCS))))
$(call archive,kdc): $(call objects,$(kdc_SRCS)) $(BUILD)/obj/gen/sql_files.o
$(BUILD)/lib/%.a: $(BUILD)/lists/%
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# libkdcchat for embedders: the client's room and what it needs of wire and crypto in one object, in which only the
# public names (kc_...) are visible.
$(BUILD)/libkdcchat.a: $(call objects,$(client_SRCS)) $(call archive,wire) $(call archive,crypto)
	$(say) AR $@
	$(Q)rm -f $@ && $(CC) -r -nostdlib -o $(BUILD)/obj/libkdcchat.o $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group
	$(Q)objcopy --wildcard --keep-global-symbol='kc_*' $(BUILD)/obj/libkdcchat.o
	$(Q)$(AR) rcsD $@ $(BUILD)/obj/libkdcchat.o
$(BUILD)/libkdcchat.pc: client/libkdcchat.pc.in $(BUILD)/version $(BUILD)/prefix
	$(Q)sed -e 's,@PREFIX@,$(PREFIX),' -e "s,@VERSION@,$$(cat $(BUILD)/version)," $< > $@

# --- Objects -----------------------------------------------------------------------------------------------------

# Change what the flags, the compiler, the version or a room's list of files say, and what depends on it is made again.
.PHONY: FORCE
define when_changed
@mkdir -p $(@D)
@printf '%s\n' '$(strip $(1))' | cmp -s - $@ || printf '%s\n' '$(strip $(1))' > $@
endef
$(BUILD)/flags: FORCE
	$(call when_changed,$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL))
$(BUILD)/lists/%: FORCE
	$(call when_changed,$($*_SRCS))
$(BUILD)/lists/sql: FORCE
	$(call when_changed,$(SQL_FILES))
$(BUILD)/prefix: FORCE
	$(call when_changed,$(PREFIX))
GIT_VERSION := $(shell GIT_OPTIONAL_LOCKS=0 git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null)
FULL_VERSION := $(or $(GIT_VERSION:v%=%),$(VERSION))
$(BUILD)/version: FORCE
	$(call when_changed,$(FULL_VERSION))

# The version is given only to the files that use it, so that a commit doesn't make everything anew.
VERSION_SRCS := $(if $(ALL_SRCS),$(shell grep -l KDC_CHAT_VERSION $(ALL_SRCS) /dev/null))
$(call objects,$(VERSION_SRCS)): $(BUILD)/version
version_flag = $(if $(filter $(1),$(VERSION_SRCS)),-DKDC_CHAT_VERSION='"$(FULL_VERSION)"')

$(BUILD)/obj/%.o: %.c $(BUILD)/flags $(CONFIG)
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS_ALL) $(call version_flag,$<) $(call room_cflags,$<) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/gen/sql_files.c: scripts/embed-sql.sh $(SQL_FILES) $(BUILD)/lists/sql
	@mkdir -p $(@D)
	$(say) SQL $@
	$(Q)scripts/embed-sql.sh $(SQL_FILES) > $@
$(BUILD)/obj/gen/sql_files.o: $(BUILD)/gen/sql_files.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(ALL_SRCS)) $(BUILD)/obj/gen/sql_files.o)

# --- Tests -------------------------------------------------------------------------------------------------------
# Each tests/unit/test_X.c is a cmocka program, each tests/fuzz/fuzz_X.c a libFuzzer target. Other C files of
# tests/unit and tests/support are shared by them. A test that needs more says it here: NAME_LDFLAGS, NAME_LIBS.

# The simulation runs the real KDC on stand-ins (tests/unit/sim_standins.c, sim_memo.c) for what these are:
SIM_WRAPPED := dh_keypair dh_shared identity_sign identity_verify malloc calloc realloc reallocarray free \
	worker_pool_new worker_pool_free worker_pool_submit worker_pool_withdraw journal_start upkeep_start journal_issue \
	pthread_create pthread_join event_base_new event_base_free event_base_loop event_new event_free event_assign event_add event_del event_pending \
	inbox_push inbox_push_all directory_insert directory_remove directory_find directory_find_or_watch directory_set_seat \
	recv send shutdown close setsockopt getnameinfo clock_gettime log_event
test_sim_LDFLAGS := $(SIM_WRAPPED:%=-Wl,--wrap=%)
test_sim_schedules_LDFLAGS := $(test_sim_LDFLAGS)
test_sim_seats_LDFLAGS := $(test_sim_LDFLAGS)
test_kdc_journal_LDFLAGS := -Wl,--wrap=clock_gettime
test_kdc_worker_pool_lock_LDFLAGS := -Wl,--wrap=job_queue_resize

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(EVERY_ARCHIVE)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) $($*_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(EVERY_ARCHIVE) -Wl,--end-group \
		-lcmocka $($*_LIBS) $(KDC_LINK) $(CLIENT_LINK) -lm

# Programs by which tests/integration drives a part that no program of ours shows by itself.
$(BUILD)/probe/%: $(BUILD)/obj/tests/integration/%.o $(EVERY_ARCHIVE)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(EVERY_ARCHIVE) -Wl,--end-group $(KDC_LINK) \
		$(CLIENT_LINK)

ifeq ($(SAN),fuzz)
fuzzers: $(fuzz_SRCS:tests/fuzz/%.c=$(BUILD)/bin/%)
$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(EVERY_ARCHIVE)
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) -fsanitize=fuzzer $(LDFLAGS_ALL) $(fuzz_$*_LDFLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(EVERY_ARCHIVE) -Wl,--end-group $(KDC_LINK) $(CLIENT_LINK) -lm
else
fuzzers:
	@$(MAKE) --no-print-directory SAN=fuzz BUILD=build/fuzz fuzzers
endif

# --- Lint --------------------------------------------------------------------------------------------------------

.PHONY: lint format tidy
lint:
	@scripts/lint.sh
format:
	clang-format -i $(ALL_SRCS) $(ALL_HEADERS)

# clang-tidy, one stamp for each file, so that only what changed is looked at again.
tidy: $(ALL_SRCS:%.c=$(BUILD)/tidy/%.ok)
$(BUILD)/tidy/%.ok: %.c .clang-tidy $(CONFIG)
	@mkdir -p $(@D)
	$(say) TIDY $<
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- -std=gnu11 $(CPPFLAGS_ALL) $(call version_flag,$<) \
		$(call room_cflags,$<) 2> $@.err || { cat $@.err; exit 1; }
	$(Q)$(CC) $(CPPFLAGS_ALL) $(call room_cflags,$<) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	$(Q)touch $@
-include $(ALL_SRCS:%.c=$(BUILD)/tidy/%.d)

# For the scripts: print-NAME prints the variable NAME.
print-%:
	@printf '%s\n' '$($*)'

# --- Manual ------------------------------------------------------------------------------------------------------
# Man pages and completions: what is a table in a program comes from that table (scripts/manual), the rest from
# docs/man/*.in.

MANUAL := $(BUILD)/manual
PAGES := $(patsubst docs/man/%.in,$(MANUAL)/%,$(wildcard docs/man/*.in))
PROGRAM_NAMES := $(notdir $(PROGRAMS))
BASH_COMPLETIONS := $(PROGRAM_NAMES:%=$(MANUAL)/bash/%)
ZSH_COMPLETIONS := $(PROGRAM_NAMES:%=$(MANUAL)/zsh/_%)

.PHONY: manual
manual: $(PAGES) $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS)
$(MANUAL)/tables: $(call objects,$(manual_SRCS)) $(EVERY_ARCHIVE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(KDC_LINK) \
		$(CLIENT_LINK)
$(MANUAL)/tables.json: $(MANUAL)/tables
	$(Q)$< > $@
$(PAGES): $(MANUAL)/%: docs/man/%.in scripts/manual/pages.py $(MANUAL)/tables.json
	$(say) MAN $@
	$(Q)$(PYTHON) scripts/manual/pages.py $(MANUAL)/tables.json $< > $@
$(BASH_COMPLETIONS): $(MANUAL)/bash/%: scripts/manual/completions.py $(MANUAL)/tables.json
	@mkdir -p $(@D)
	$(say) BASH $@
	$(Q)$(PYTHON) $< $(MANUAL)/tables.json bash $* > $@
$(ZSH_COMPLETIONS): $(MANUAL)/zsh/_%: scripts/manual/completions.py $(MANUAL)/tables.json
	@mkdir -p $(@D)
	$(say) ZSH $@
	$(Q)$(PYTHON) $< $(MANUAL)/tables.json zsh $* > $@

# --- Install -----------------------------------------------------------------------------------------------------

$(BUILD)/dist/%: dist/%.in $(BUILD)/prefix
	@mkdir -p $(@D)
	$(Q)sed -e 's,@PREFIX@,$(PREFIX),' $< > $@

# MODE:FILE:PLACE for all that is installed, the place below $(PREFIX).
install_entry = $(foreach file,$(3),$(1):$(file):$(2)/$(notdir $(file)))
INSTALLED = $(call install_entry,755,bin,$(BUILD)/bin/kdc-chat) \
	$(call install_entry,755,sbin,$(BUILD)/bin/kdcd $(BUILD)/bin/kdc-admin) \
	$(call install_entry,644,include,client/kdcchat.h) \
	$(call install_entry,644,lib,$(BUILD)/libkdcchat.a) \
	$(call install_entry,644,lib/pkgconfig,$(BUILD)/libkdcchat.pc) \
	$(call install_entry,644,lib/systemd/system,$(BUILD)/dist/kdcd.service) \
	$(call install_entry,644,lib/sysusers.d,dist/sysusers.d/kdc-chat.conf) \
	$(call install_entry,644,lib/tmpfiles.d,dist/tmpfiles.d/kdc-chat.conf) \
	$(foreach page,$(PAGES),$(call install_entry,644,share/man/man$(patsubst .%,%,$(suffix $(page))),$(page))) \
	$(call install_entry,644,share/bash-completion/completions,$(BASH_COMPLETIONS)) \
	$(call install_entry,644,share/zsh/site-functions,$(ZSH_COMPLETIONS)) \
	$(call install_entry,644,share/doc/kdc-chat,LICENSE README.md docs/kdc.conf.sample $(wildcard docs/*.md docs/*.txt)) \
	$(call install_entry,644,share/doc/kdc-chat/examples,$(wildcard docs/examples/*))

# Modes are ours, not the umask's; folders that are there stay as they are.
.PHONY: install uninstall
install: all manual $(BUILD)/dist/kdcd.service
	@umask 022; for entry in $(INSTALLED); do \
		IFS=: read -r mode file place <<< "$$entry"; place="$(DESTDIR)$(PREFIX)/$$place"; \
		printf '  %-5s %s\n' INST "$$place"; \
		mkdir -p "$${place%/*}" && install -m "$$mode" "$$file" "$$place" || exit 1; done

# Leaves configuration, identity, accounts, and folders that others may use.
uninstall:
	@for entry in $(INSTALLED); do rm -f "$(DESTDIR)$(PREFIX)/$${entry##*:}" || exit 1; done
	@rmdir "$(DESTDIR)$(PREFIX)/share/doc/kdc-chat/examples" "$(DESTDIR)$(PREFIX)/share/doc/kdc-chat" 2>/dev/null || true

endif
