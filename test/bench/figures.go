package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// sample is one figure, measured once per run.
type sample []float64

// median is the middle value, or the mean of the two in the middle. Of nothing it is NaN.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread is the least and the greatest value in words.
func (s sample) spread() string {
	if len(s) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s - %s", figure(slices.Min(s)), figure(slices.Max(s)))
}

// over divides run by run: what disturbed one run disturbed its reference too.
func (s sample) over(reference sample) sample {
	var ratios sample
	for i := range min(len(s), len(reference)) {
		ratios = append(ratios, s[i]/reference[i])
	}
	return ratios
}

// around takes the reference before and after a measurement and returns the mean of the two, so that a machine that gets
// busier or quieter meanwhile favours neither.
func around(reference func() (float64, error), measure func() error) (float64, error) {
	before, err := reference()
	if err != nil {
		return 0, err
	}
	if err := measure(); err != nil {
		return 0, err
	}
	after, err := reference()
	return (before + after) / 2, err
}

// figure writes a number with three digits that count, and commas between thousands.
func figure(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case x < 0:
		return "-" + figure(-x)
	case x == 0:
		return "0"
	}
	decimals := 2 - int(math.Floor(math.Log10(x)))
	if decimals > 0 {
		return strconv.FormatFloat(x, 'f', min(decimals, 6), 64)
	}
	unit := math.Pow10(-decimals)
	return thousands(strconv.FormatFloat(math.Round(x/unit)*unit, 'f', 0, 64))
}

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
