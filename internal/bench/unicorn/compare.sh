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
(cd .. && go test -c -pgo "$PWD/../../cmd/dirql/default.pgo" -o "$tmp/bench" .) # as the command is built
for round in 1 2 3; do # in turns: what else the machine does meets both
	"$tmp/unicorn" ../kernels/kernels.bin >>"$tmp/unicorn.txt"
	"$tmp/bench" -test.run XXX -test.bench '/x86/' -test.benchtime 1x -test.count 100 >>"$tmp/dirql.txt"
done
awk '
	function less(table, key, value) { if (!(key in table) || value + 0 < table[key]) table[key] = value + 0 }
	FNR == NR { # the best of all rounds
		if (!($1 in accesses)) order[++n] = $1
		accesses[$1] = $2
		less(plain, $1, $3)
		less(hooked, $1, $4)
		next
	}
	/ns\/op/ {
		split($1, name, "/"); sub(/-[0-9]+$/, "", name[3])
		less(dirql, name[3], $3)
		for (i = 4; i < NF; i++) if ($(i + 1) == "instructions/op") instructions[name[3]] = $i
	}
	END {
		print "millions of instructions a second, and how many times as fast as Unicorn"
		printf "%-6s %8s %7s | %9s %9s %6s | %9s %9s %6s\n", "kernel", "instr.", "shared", "dirql", "Unicorn", "ratio", "dirql+log", "+hook", "ratio"
		for (i = 1; i <= n; i++) {
			k = order[i]; all = 1000 * instructions[k]; log_ = dirql[k "_log"]
			printf "%-6s %8d %6.0f%% | %9.1f %9.1f %6.1f | %9.1f %9.1f %6.1f\n", k, instructions[k], 100 * accesses[k] / instructions[k],
				all / dirql[k], all / plain[k], plain[k] / dirql[k], all / log_, all / hooked[k], hooked[k] / log_
		}
	}' "$tmp/unicorn.txt" "$tmp/dirql.txt"
