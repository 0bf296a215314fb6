#!/usr/bin/env bash
# Compares the interpreter with Unicorn, in one run: the kernels of ../kernels, millions
# of instructions a second, without a log of accesses and with one (under Unicorn:
# a hook in C on every access). Unicorn is no part of the project; on Debian
# and Ubuntu:
#
#   apt-get install gcc libunicorn-dev
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

gcc -O2 -Wall -Wextra -o "$tmp/unicorn" unicorn.c -lunicorn -lm
(cd .. && go test -c -o "$tmp/bench" .)
for round in 1 2 3; do # in turns: what else the machine does meets both
	"$tmp/unicorn" ../kernels/kernels.bin >>"$tmp/unicorn.txt"
	"$tmp/bench" -test.run XXX -test.bench '/x86/' -test.benchtime 30x -test.count 5 >>"$tmp/dirql.txt"
done
awk '
	FNR == NR { # the best of all rounds
		if (!($1 in plain)) order[++n] = $1
		instructions[$1] = $2; accesses[$1] = $3
		if ($5 > plain[$1]) plain[$1] = $5
		if ($6 > hooked[$1]) hooked[$1] = $6
		next
	}
	/ MIPS/ {
		split($1, name, "/"); sub(/-[0-9]+$/, "", name[3])
		for (i = 2; i < NF; i++) if ($(i + 1) == "MIPS" && $i > dirql[name[3]]) dirql[name[3]] = $i
	}
	END {
		printf "%-6s %8s %7s | %9s %9s %6s | %9s %9s %6s\n", "kernel", "instr.", "shared", "dirql", "Unicorn", "ratio", "dirql+log", "+hook", "ratio"
		for (i = 1; i <= n; i++) {
			k = order[i]
			printf "%-6s %8d %6.0f%% | %9.1f %9.1f %6.1f | %9.1f %9.1f %6.1f\n", k, instructions[k], 100 * accesses[k] / instructions[k],
				dirql[k], plain[k], dirql[k] / plain[k], dirql[k "_log"], hooked[k], dirql[k "_log"] / hooked[k]
		}
	}' "$tmp/unicorn.txt" "$tmp/dirql.txt"
