#!/bin/sh
# Rebuilds the test drivers. Needs gcc-mingw-w64-x86-64, clang, lld and llvm
# (Debian package names). The tests need none of them: what this makes is
# committed. Versions differ in what they emit; run the tests with -update after
# a rebuild and look at the difference.
set -eu
cd "$(dirname "$0")"
out=$PWD
tmp=/tmp/dirql-pe # a fixed name: it ends up in the files
rm -rf $tmp
mkdir $tmp
cp ./*.c ./*.def ./*.rc $tmp
trap 'rm -rf $tmp' EXIT
cd $tmp
map="-ffile-prefix-map=$tmp=C:/dirql"

# gcc for Windows: COFF symbols, and DWARF in two versions.
x=x86_64-w64-mingw32
$x-dlltool -d ntoskrnl.def -l libntoskrnl.a
$x-dlltool -d wdfldr.def -l libwdfldr.a
$x-windres mini.rc version.o
for v in 4 5; do
    $x-gcc -std=c11 -Wall -O1 -gdwarf-$v $map -ffreestanding -fno-ident -mno-stack-arg-probe -c mini.c -o mini.o
    $x-gcc -shared -nostdlib -Wl,--subsystem,native -Wl,--entry,DriverEntry -Wl,--no-insert-timestamp \
        -Wl,--dynamicbase -Wl,--nxcompat -o gcc$v.sys mini.o version.o -L. -lntoskrnl -lwdfldr
done
$x-strip -o stripped.sys gcc4.sys
for v in 2 5; do
    $x-gcc -std=c11 -Wall -O1 -gdwarf-$v -gstrict-dwarf $map -ffreestanding -fno-ident -c types.c -o types.o
    $x-gcc -shared -nostdlib -Wl,--subsystem,native -Wl,--entry,DriverEntry -Wl,--no-insert-timestamp -o types-gcc$v.sys types.o -L. -lntoskrnl
done

# clang for the MSVC ABI: a PDB; and the same with DWARF.
llvm-dlltool -m i386:x86-64 -d ntoskrnl.def -l ntoskrnl.lib
llvm-dlltool -m i386:x86-64 -d wdfldr.def -l wdfldr.lib
llvm-rc -FO version.res mini.rc
link="lld-link /driver /subsystem:native /entry:DriverEntry /nodefaultlib /Brepro /dynamicbase /section:INIT,ERWD"
clang --target=x86_64-pc-windows-msvc -std=c11 -Wall -O1 -g -gcodeview -ffreestanding -mno-stack-arg-probe -fasynchronous-unwind-tables \
    -fdebug-compilation-dir=C:/dirql $map -c mini.c -o mini.obj
$link /debug /pdbaltpath:%_PDB% /out:clang.sys /pdb:clang.pdb /pdbsourcepath:C:/dirql \
    mini.obj version.res ntoskrnl.lib wdfldr.lib
clang --target=x86_64-pc-windows-msvc -std=c11 -Wall -O1 -gdwarf-5 -ffreestanding -mno-stack-arg-probe -fasynchronous-unwind-tables \
    -fdebug-compilation-dir=C:/dirql $map -c mini.c -o dwarf.obj
$link /debug:dwarf /out:clangdwarf.sys dwarf.obj ntoskrnl.lib wdfldr.lib
clang --target=x86_64-pc-windows-msvc -std=c11 -Wall -O1 -g -gcodeview -ffreestanding -fdebug-compilation-dir=C:/dirql $map -c types.c -o types.obj
$link /debug /pdbaltpath:%_PDB% /out:types-clang.sys /pdb:types-clang.pdb /pdbsourcepath:C:/dirql types.obj ntoskrnl.lib
chmod 644 ./*.sys ./*.pdb
cp -p ./*.sys ./*.pdb "$out"
