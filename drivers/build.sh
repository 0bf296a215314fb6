#!/usr/bin/env bash
# Rebuilds the example drivers (.sys) from their C sources. The .sys files are
# in the repository, so that nobody needs this to use them.
#
#   bash drivers/build.sh                       everything, in place
#   bash drivers/build.sh --check               the same into a temporary folder; fails if a file differs
#   bash drivers/build.sh [option ...] FILE.c   one driver
#
#   -o FILE.sys     where to (default: beside the source)
#   -D...           a macro: -DBUG_WAIT_DPC (see the source), -DKMDF_VERSION_MINOR=11, -DDBG=1
#   --strip         without debug information
#   --clang         with clang for the MSVC ABI and lld-link instead of gcc and GNU ld; makes FILE.pdb, too
#
# A driver is one file drivers/NAME/FILE.c, with FILE.rc beside it if it has a
# version resource; include/wdfstub.c is linked to it. NAME/*.def are images that
# it imports from besides those of the system. For every macro BUG_X_Y
# that a source names there is a variant drivers/NAME/testdata/x-y.sys, without
# debug information, that contains one deliberate mistake. The drivers of
# drivers/patterns/NAME/driver.c become fixed.sys, and with -DBUG buggy.sys.
#
# Needs gcc and binutils of mingw-w64 for x86-64; on Debian and Ubuntu:
#
#   apt-get install gcc-mingw-w64-x86-64
#
# and for edu-clang.sys and drivers with __try also clang, lld-link and llvm-dlltool (apt-get install
# clang lld llvm); without them that file stays as it is. No header or library
# of the WDK, of mingw-w64 or of a C runtime is used. The same compilers give
# the same bytes; those in the repository come from Debian 12 (gcc 12.2,
# binutils 2.40, clang and lld 14).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C SOURCE_DATE_EPOCH=0

mingw=x86_64-w64-mingw32
include=drivers/include
versions=(9 11 13 15 17 19 21 23 25 27 29 31 33) # KMDF 1.x that the headers are for
libraries=("$include"/{wdfldr,ntoskrnl,hal,wdfclass}.def)
root=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

die() {
	printf 'build.sh: %s\n' "$1" >&2
	exit 1
}

# What both compilers get. -nostdinc: only the headers of this project.
# -fno-strict-aliasing: drivers look at memory through pointers of any type.
common=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-multichar -ffreestanding -nostdinc -fno-ident -fno-stack-protector
	-fno-strict-aliasing -fasynchronous-unwind-tables -mno-red-zone -I$include)

# -fno-optimize-sibling-calls, -fno-inline: the functions that the source calls
# are on the stack, and reports name them.
# -fno-store-merging, -fno-tree-vectorize: one access per field, as the source
# says. -mno-stack-arg-probe: there is no __chkstk to call.
gcc_flags=("${common[@]}" -g -mcmodel=small -fno-optimize-sibling-calls -fno-inline
	-fno-store-merging -fno-tree-vectorize -mno-stack-arg-probe "-ffile-prefix-map=$root=.")
ld_flags=(--subsystem native --entry FxDriverEntry --image-base 0x140000000 --dynamicbase --high-entropy-va --nxcompat
	--wdmdriver --no-insert-timestamp --section-alignment 4096 --file-alignment 512 --disable-auto-import
	--disable-runtime-pseudo-reloc --exclude-all-symbols --major-os-version 10 --minor-os-version 0
	--major-subsystem-version 10 --minor-subsystem-version 0)

# The optimizations that gcc is told not to make are left to clang.
clang_flags=("${common[@]}" --target=x86_64-pc-windows-msvc -gline-tables-only -gcodeview -ffile-compilation-dir=.)
lld_flags=(/driver:wdm /tsaware:no /subsystem:native,10.0 /entry:FxDriverEntry /base:0x140000000 /dynamicbase
	/nodefaultlib /Brepro /section:INIT,DER /opt:ref)

have_gcc() { command -v $mingw-gcc >/dev/null && command -v $mingw-ld >/dev/null; }
uses_seh() { grep -q '\b__try\b' "$1"; } # gcc does not have it
have_clang() { command -v clang >/dev/null && command -v lld-link >/dev/null && command -v llvm-dlltool >/dev/null; }

# definitions SOURCE prints what a driver can import from: .def files.
definitions() {
	printf '%s\n' "${libraries[@]}"
	find "$(dirname "$1")" -name '*.def' | sort
}

# build_gcc OUT SOURCE STRIP MACRO...
build_gcc() {
	local out=$1 source=$2 strip=$3 def lib
	local objects=("$tmp/driver.o" "$tmp/stub.o") libs=()
	shift 3
	for def in $(definitions "$source"); do
		lib=$(basename "$def" .def)
		libs+=("-l$lib")
		if [[ ! -e $tmp/lib$lib.a ]]; then
			(cd "$tmp" && $mingw-dlltool -d "$root/$def" -l "lib$lib.a" --temp-prefix "$lib")
		fi
	done
	$mingw-gcc "${gcc_flags[@]}" "$@" -c "$source" -o "$tmp/driver.o"
	$mingw-gcc "${gcc_flags[@]}" "$@" -c $include/wdfstub.c -o "$tmp/stub.o"
	if [[ -e ${source%.c}.rc ]]; then
		$mingw-windres "${source%.c}.rc" "$tmp/resource.o"
		objects+=("$tmp/resource.o")
	fi
	$mingw-ld "${ld_flags[@]}" "${objects[@]}" -L"$tmp" "${libs[@]}" -o "$out"
	if $strip; then
		$mingw-strip --strip-debug --preserve-dates "$out"
	fi
	discard_init "$out"
	checksum "$out"
	chmod 644 "$out"
}

# build_clang OUT SOURCE STRIP MACRO...
build_clang() {
	local out=$1 source=$2 strip=$3 def lib name
	local objects=(driver.obj stub.obj) debug=() libs=()
	shift 3
	name=$(basename "${out%.sys}")
	have_clang || die "no clang, lld-link or llvm-dlltool: apt-get install clang lld llvm"
	for def in $(definitions "$source"); do
		lib=$(basename "$def" .def)
		libs+=("$lib.lib")
		if [[ ! -e $tmp/$lib.lib ]]; then
			llvm-dlltool -m i386:x86-64 -d "$def" -l "$tmp/$lib.lib"
		fi
	done
	clang "${clang_flags[@]}" "$@" -c "$source" -o "$tmp/driver.obj"
	clang "${clang_flags[@]}" "$@" -c $include/wdfstub.c -o "$tmp/stub.obj"
	if [[ -e ${source%.c}.rc ]]; then
		$mingw-windres -O res "${source%.c}.rc" "$tmp/resource.res"
		objects+=(resource.res)
	fi
	if ! $strip; then
		debug=(/debug:full /pdbsourcepath:. "/pdb:$name.pdb" "/pdbaltpath:$name.pdb")
	fi
	# In the folder and with relative names: the PDB keeps the command line.
	(cd "$tmp" && lld-link "${lld_flags[@]}" "${debug[@]}" "${objects[@]}" "${libs[@]}" "/out:$name.sys")
	checksum "$tmp/$name.sys"
	if ! $strip; then
		mv "$tmp/$name.pdb" "${out%.sys}.pdb"
	fi
	mv "$tmp/$name.sys" "$out"
	chmod 644 "$out"
}

# get FILE OFFSET SIZE prints a number from a file; put FILE OFFSET VALUE writes
# one of 4 bytes.
get() { echo $(($(od -An "-tu$3" "-j$2" "-N$3" "$1"))); }
put() {
	local i bytes=''
	for i in 0 8 16 24; do
		bytes+=$(printf '\\x%02x' $(($3 >> i & 255)))
	done
	printf '%b' "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# checksum writes the checksum of an image into its header: the sum of its
# 16-bit words with carries folded in, plus its length. lld-link 14 leaves it 0,
# and Windows does not load such a driver.
checksum() {
	local size at sum
	size=$(stat -c %s "$1")
	at=$(($(get "$1" 60 4) + 88))
	put "$1" $at 0
	sum=$( (cat "$1" && head -c $((size & 1)) /dev/zero) | od -An -v -tu2 | awk '
		{ for (i = 1; i <= NF; i++) s += $i }
		END { while (s > 65535) s = s % 65536 + int(s / 65536); print s }')
	put "$1" $at $((sum + size))
}

# discard_init marks the section INIT as discardable, which GNU as and ld cannot.
discard_init() {
	local pe section i
	pe=$(get "$1" 60 4)
	for ((i = 0; i < $(get "$1" $((pe + 6)) 2); i++)); do
		section=$((pe + 24 + $(get "$1" $((pe + 20)) 2) + 40 * i))
		if (($(get "$1" $section 8) == 0x54494E49)); then # "INIT"
			put "$1" $((section + 36)) $(($(get "$1" $((section + 36)) 4) | 0x02000000))
		fi
	done
}

# verify checks that an image looks like a driver.
verify() {
	local dump foreign
	dump=$($mingw-objdump -x "$1")
	foreign=$(sed -n 's/^[[:space:]]*DLL Name: //p' <<<"$dump" | grep -vix -e 'ntoskrnl\.exe' -e 'hal\.dll' -e 'wdfldr\.sys' -e 'litmus\.sys' || true)
	[[ -z $foreign ]] || die "$1 imports from $foreign"
	grep -q '(NT native)' <<<"$dump" || die "$1 is not for the native subsystem"
	grep -q 'DIR64' <<<"$dump" || die "$1 has no relocations"
	grep -q 'DYNAMIC_BASE' <<<"$dump" || die "$1 cannot be relocated"
	grep -Eq '^ *[0-9]+ \.pdata ' <<<"$dump" || die "$1 has no unwind information"
	# What is left of these in the image would be missing at run time.
	! $mingw-objdump -t "$1" | grep -Eq '___?chkstk|__main|__CxxFrame' || die "$1 needs a C runtime"
	printf '%7d  %s\n' "$(stat -c %s "$1")" "$1"
}

# layouts compiles the assertions about the structures for every KMDF version.
layouts() {
	local v
	for v in "${versions[@]}"; do
		$mingw-gcc "${gcc_flags[@]}" -DKMDF_VERSION_MINOR="$v" -fsyntax-only $include/layout_check.c $include/wdfstub.c
		if have_clang; then
			clang "${clang_flags[@]}" -DKMDF_VERSION_MINOR="$v" -fsyntax-only $include/layout_check.c $include/wdfstub.c
		fi
	done
}

# everything builds all drivers; DIR/drivers/NAME is where to ("." for in place).
everything() {
	local dir=$1 source to bug name tool
	layouts
	for source in drivers/*/*.c; do
		[[ $source != $include/* ]] || continue
		tool=build_gcc
		if uses_seh "$source"; then
			have_clang || { printf 'no clang: %s stays as it is\n' "$source"; continue; }
			tool=build_clang
		fi
		to=$dir/$(dirname "$source")
		mkdir -p "$to/testdata"
		$tool "$dir/${source%.c}.sys" "$source" $([[ $tool == build_gcc ]] && echo false || echo true)
		verify "$dir/${source%.c}.sys"
		for bug in $(grep -o '\bBUG_[A-Z0-9_]*[A-Z0-9]\b' "$source" | sort -u); do
			name=${bug#BUG_}
			name=${name,,}
			name=$to/testdata/${name//_/-}.sys
			$tool "$name" "$source" true "-D$bug"
			verify "$name"
		done
		rmdir --ignore-fail-on-non-empty "$to/testdata"
	done
	for source in drivers/patterns/*/driver.c; do
		to=$dir/$(dirname "$source")
		mkdir -p "$to"
		build_gcc "$to/fixed.sys" "$source" false
		verify "$to/fixed.sys"
		build_gcc "$to/buggy.sys" "$source" false -DBUG
		verify "$to/buggy.sys"
	done
	# The example again in the binding style of KMDF 1.13 and older, and by clang.
	build_gcc "$dir/drivers/edu/testdata/edu-kmdf-1.11.sys" drivers/edu/edu.c true -DKMDF_VERSION_MINOR=11
	verify "$dir/drivers/edu/testdata/edu-kmdf-1.11.sys"
	# A mistake with debug information: reports show source lines.
	build_gcc "$dir/drivers/hostile/testdata/recurse-debug.sys" drivers/hostile/hostile.c false -DBUG_RECURSE
	verify "$dir/drivers/hostile/testdata/recurse-debug.sys"
	if have_clang; then
		build_clang "$dir/drivers/edu/testdata/edu-clang.sys" drivers/edu/edu.c false
		verify "$dir/drivers/edu/testdata/edu-clang.sys"
	else
		printf 'no clang, lld-link or llvm-dlltool: edu-clang.sys stays as it is\n'
	fi
}

have_gcc || die "no $mingw-gcc: apt-get install gcc-mingw-w64-x86-64"

case ${1-} in
'')
	everything .
	exit
	;;
--check)
	everything "$tmp/built"
	(cd "$tmp/built" && find drivers -type f) | while read -r file; do
		cmp "$tmp/built/$file" "$file" || die "$file is not what its source gives with these compilers"
	done
	exit
	;;
esac

out='' source='' strip=false tool=build_gcc macros=()
while (($# > 0)); do
	case $1 in
	-o)
		out=${2?-o needs a file}
		shift
		;;
	-D*) macros+=("$1") ;;
	--strip) strip=true ;;
	--clang) tool=build_clang ;;
	*.c)
		[[ -z $source ]] || die "two sources: $source and $1; a driver is one file"
		source=$1
		;;
	*) die "unknown argument $1; the comment at the top of $0 explains the usage" ;;
	esac
	shift
done
[[ -n $source ]] || die "no source file"
[[ -n $out ]] || out=${source%.c}.sys
$tool "$out" "$source" "$strip" "${macros[@]}"
verify "$out"
