package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"lnsgate/aaa/postgres"
	"lnsgate/lns/admin"
	"lnsgate/lns/admin/web"
)

// hangPage adds the web page to what operators are answered over the network. Without an address to listen on there is none.
func (n *node) hangPage(config *admin.Config, d *directory) {
	if len(n.operators.listeners) == 0 {
		return
	}
	page := web.Config{Operators: n.operators.known, Watch: config.Watch, Stored: d != nil, Node: n.config.Node, Version: config.Version, Log: n.log}
	if d != nil {
		page.Import = d.importUsers
	}
	n.page = web.New(page)
	config.Mounts, config.Who = append(config.Mounts, n.page.Mounts()...), n.page.Who
}

// importBlock is how many rows are stored at once, between two signs of progress.
const importBlock = 250

// importUsers checks all rows, and then stores them block by block: a row that is right now may be wrong a moment later, and then the
// blocks before stay.
func (d *directory) importUsers(ctx context.Context, file io.Reader, update bool, progress func(done, all int)) (result web.ImportResult, err error) {
	rows, err := parseCSV(file)
	if err != nil {
		return result, err
	}
	existing := postgres.Refuse
	if update {
		existing = postgres.Replace
	}
	progress(0, len(rows))
	err = d.with(ctx, func(a *postgres.Admin) error {
		checked, err := a.ImportAccounts(ctx, rows, existing, true)
		if err != nil || len(checked.Faults) > 0 {
			result.Faults = faultWords(checked)
			return err
		}
		done := 0
		for block := range slices.Chunk(rows, importBlock) {
			report, err := a.ImportAccounts(ctx, block, existing, false)
			if err == nil && len(report.Faults) > 0 {
				err = fmt.Errorf("%s; the %d rows before it are stored", faultWords(report)[0], done)
			}
			if err != nil {
				return err
			}
			done += len(block)
			result.Added, result.Changed = result.Added+report.Added, result.Changed+report.Changed
			progress(done, len(rows))
		}
		return nil
	})
	return result, err
}

// faultWords are the first faults of an import, each with its line.
func faultWords(r postgres.ImportReport) []string {
	lines := make([]string, 0, mostFaults)
	for _, fault := range r.Faults[:min(len(r.Faults), mostFaults)] {
		lines = append(lines, fmt.Sprintf("%s: %s", fault.Where, fault.Text))
	}
	if more := len(r.Faults) - mostFaults; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}
