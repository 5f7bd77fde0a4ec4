package main

import (
	"fmt"
	"strings"
)

// row is one line of the outcome.
type row struct {
	what, unit string
	values     sample
	beside     string // what the reference is; empty when there is none
	reference  sample // in the same unit, run by run
}

// table writes rows as Markdown.
func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| figure | median | min - max | beside it | its median | ratio |\n")
	b.WriteString("|---|---:|---:|---|---:|---:|\n")
	for _, r := range rows {
		beside, reference, ratio := r.beside, "", ""
		if len(r.reference) > 0 {
			reference = with(r.reference.median(), r.unit)
			ratio = figure(r.values.over(r.reference).median())
		}
		cells := []string{r.what, with(r.values.median(), r.unit), r.values.spread(), beside, reference, ratio}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

func with(x float64, unit string) string {
	return strings.TrimSpace(figure(x) + " " + unit)
}

// collection gathers figures by name over all runs, in the order of their first appearance.
type collection struct {
	rows []*row
}

// add notes the value of one run, and that of its reference.
func (c *collection) add(what, unit string, value float64, beside string, reference ...float64) {
	r := c.row(what)
	r.unit, r.beside = unit, beside
	r.values = append(r.values, value)
	r.reference = append(r.reference, reference...)
}

func (c *collection) row(what string) *row {
	for _, r := range c.rows {
		if r.what == what {
			return r
		}
	}
	r := &row{what: what}
	c.rows = append(c.rows, r)
	return r
}

// all returns the rows.
func (c *collection) all() []row {
	var rows []row
	for _, r := range c.rows {
		rows = append(rows, *r)
	}
	return rows
}
