package report

import "fmt"

// A polling loop or an interrupt storm repeats the same few rows. Up to
// maxPeriod rows that repeat themselves are shown once if that saves at least
// minSaved rows.
const (
	maxPeriod = 16
	minSaved  = 6
)

// foldRepeats replaces repetitions by one row that counts them.
func foldRepeats(rows []row) []row {
	var out []row
	for i := 0; i < len(rows); {
		period, times := repetition(rows[i:])
		if times == 0 {
			out = append(out, rows[i])
			i++
			continue
		}
		end := i + period*(times+1)
		out = append(out, rows[i:i+period]...)
		out = append(out, row{time: rows[end-1].time, cpu: -1, level: "...", text: repeatText(visible(rows[i:i+period]), times)})
		i = end
	}
	return out
}

// repetition returns how many rows at the front repeat themselves and how many
// times more they come, 0 if it is not worth a word.
func repetition(rows []row) (period, times int) {
	if rows[0].silent {
		return 0, 0
	}
	for period = 1; period <= maxPeriod && 2*period <= len(rows); period++ {
		if !alike(&rows[0], &rows[period]) {
			continue
		}
		n := 0
		for n+period < len(rows) && alike(&rows[n], &rows[n+period]) {
			n++
		}
		times = n / period
		if times > 0 && visible(rows[:period])*times >= minSaved {
			return period, times
		}
	}
	return 0, 0
}

// alike tells whether two rows differ in nothing but their time and the number
// of the activation.
func alike(a, b *row) bool {
	x := *b
	x.time, x.act = a.time, a.act
	return *a == x
}

func visible(rows []row) (n int) {
	for i := range rows {
		if !rows[i].silent {
			n++
		}
	}
	return n
}

func repeatText(rows, times int) string {
	what := "the row above comes"
	if rows > 1 {
		what = fmt.Sprintf("the %d rows above come", rows)
	}
	if times == 1 {
		return what + " once more"
	}
	return fmt.Sprintf("%s %d times more", what, times)
}
