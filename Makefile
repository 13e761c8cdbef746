# SPDX-License-Identifier: MIT
# A thin front of meson and ninja: each target prints the commands it runs.
# Works on a fresh Debian 12 as root with only make and a C compiler there: scripts/deps.sh installs
# what a target needs, and on another system says what to install.
#
#   CC=clang make build     another compiler        PREFIX=/usr DESTDIR=/tmp/stage make install

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build

# make's own default (cc) is not a wish of the user's.
ifneq ($(origin CC),default)
export CC
endif

RQPI = $(BUILD)/tools/rqpi/rqpi

.PHONY: help build demo test check check-arch check-rt programs coverage package bench performance
.PHONY: lint fmt install uninstall clean dist
.DEFAULT_GOAL := help

help:
	@echo 'make build      the libraries and the command rqpi, in $(BUILD)/'
	@echo 'make demo       wrong order, herd and inversion: glibc beside rqpi, on real threads'
	@echo 'make test       everything that must pass: two compilers, sanitizers, style (minutes)'
	@echo 'make check      make test, then the deep run: RQPI_STRESS_SECONDS=600 each'
	@echo 'make programs   programs of Debian with the preload under them; writes docs/programs.md'
	@echo 'make check-arch musl, i386, aarch64, armhf, riscv64: built, and tested as far as they run here'
	@echo 'make check-rt   tests, vectors and demo on PREEMPT_RT and other kernels, emulated (an hour)'
	@echo 'make coverage   what of the engine the checker reaches, line by line (minutes)'
	@echo 'make package    the Debian package, in build-ci/package, tried on a fresh Debian 12'
	@echo 'make bench      the benchmarks: glibc, rqpi and the bare futex in one run'
	@echo 'make performance   docs/performance.md and its pictures anew (15 minutes, an idle machine)'
	@echo 'make lint       format, layers, small rules, shell scripts, spelling'
	@echo 'make fmt        format all C files'
	@echo 'make install    into PREFIX ($(PREFIX)), below DESTDIR ($(or $(DESTDIR),none))'
	@echo 'make uninstall  what the last make install put there'
	@echo 'make dist       a release archive of the last commit, in $(BUILD)/meson-dist/'
	@echo 'make clean      remove $(BUILD)/ and build-ci/'

build:
	scripts/deps.sh build
	scripts/build.sh $(BUILD) --prefix $(PREFIX) -Dtests=false

demo: build
	$(RQPI) demo

bench: build
	$(RQPI) bench all

performance: build
	scripts/deps.sh performance
	scripts/performance.py --update $(RQPI)

test:
	scripts/test.sh

check:
	scripts/check.sh

programs: build
	scripts/deps.sh programs
	scripts/programs.py run --rqpi $(RQPI) --doc docs/programs.md

check-arch:
	scripts/arch.sh

# The tree of test.sh: that of `make build` has no tests.
check-rt:
	scripts/deps.sh rt
	CC=gcc scripts/build.sh build-ci/gcc --werror
	scripts/check_rt.py --build build-ci/gcc $(if $(UPDATE),--update)

coverage:
	scripts/deps.sh test
	scripts/coverage.sh

package:
	scripts/package.sh --output build-ci/package

lint:
	scripts/test.sh lint

fmt:
	scripts/deps.sh lint
	scripts/tree.py c | xargs -d '\n' clang-format -i

install: build
	DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" -eq 0 ]; then echo ldconfig; ldconfig; fi

uninstall:
	DESTDIR='$(DESTDIR)' ninja -C $(BUILD) uninstall

clean:
	rm -rf $(BUILD) build-ci

dist: build
	meson dist -C $(BUILD) --no-tests
