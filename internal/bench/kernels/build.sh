#!/usr/bin/env bash
# Makes kernels.bin from kernels.c, with the compiler of drivers/build.sh. With
# --check it fails if that gives other bytes than those in the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export LC_ALL=C
mingw=x86_64-w64-mingw32
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

$mingw-gcc -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdinc -fno-ident -fno-stack-protector -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -mno-red-zone -mno-sse -fno-inline -fno-optimize-sibling-calls -fno-store-merging \
	-fno-tree-loop-distribute-patterns -mno-stack-arg-probe -c kernels.c -o "$tmp/kernels.o"
cat >"$tmp/flat.ld" <<'LD'
SECTIONS { .text 0 : { *(.entries) *(.text*) *(.rdata*) } /DISCARD/ : { *(*) } }
LD
$mingw-ld --image-base 0 -T "$tmp/flat.ld" -e 0 -o "$tmp/kernels.pe" "$tmp/kernels.o"
$mingw-objcopy -O binary -j .text "$tmp/kernels.pe" "$tmp/kernels.bin"
[[ ${1-} == -S ]] && $mingw-objdump -d "$tmp/kernels.o"
if [[ ${1-} == --check ]]; then
	cmp "$tmp/kernels.bin" kernels.bin
else
	cp "$tmp/kernels.bin" kernels.bin
fi
