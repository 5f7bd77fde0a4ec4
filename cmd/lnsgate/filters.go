package main

import (
	"errors"
	"fmt"
	"log/slog"

	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns/datapath"
)

// filters compiles the filters of the file, by their names.
func filters(c *configs.Config) (map[string]*datapath.Filter, error) {
	compiled := make(map[string]*datapath.Filter, len(c.Filters))
	var faults []error
	for i, f := range c.Filters {
		var rules []datapath.Rule
		for _, r := range f.Rules {
			rules = append(rules, filterRule(r))
		}
		var err error
		if compiled[f.Name], err = datapath.NewFilter(f.Name, filterAction(f.Default), rules); err != nil {
			faults = append(faults, configs.Fault{Path: fmt.Sprintf("filters[%d].rules", i), Message: err.Error()})
		}
	}
	return compiled, errors.Join(faults...)
}

func filterRule(r configs.FilterRule) datapath.Rule {
	rule := datapath.Rule{
		Action:      filterAction(r.Action),
		Prefix:      r.To,
		Protocol:    datapath.Protocol(r.Protocol),
		Established: r.Established,
	}
	switch r.Direction {
	case configs.Up:
		rule.Direction = datapath.Up
	case configs.Down:
		rule.Direction = datapath.Down
	}
	for _, p := range r.Ports {
		rule.Ports = append(rule.Ports, datapath.PortRange{First: p.First(), Last: p.Last()})
	}
	for _, number := range r.Types {
		rule.Types = append(rule.Types, uint8(number))
	}
	return rule
}

func filterAction(a configs.FilterAction) datapath.Action {
	if a == configs.AllowPackets {
		return datapath.Allow
	}
	return datapath.Deny
}

// filtersOfDatabase compiles the filters of the database. One that cannot be used is left out, and who is to have it cannot log
// in: nobody goes unfiltered because of a wrong row.
func filtersOfDatabase(rows []sqlaccounts.Filter, log *slog.Logger) map[string]*datapath.Filter {
	compiled := make(map[string]*datapath.Filter, len(rows))
	for _, row := range rows {
		filter, err := compileRow(row)
		if err != nil {
			log.Error("a filter of the database cannot be used", "filter", row.Name, "cause", err)
			continue
		}
		compiled[row.Name] = filter
	}
	return compiled
}

// compileRow reads the words of a row as those of the file are read.
func compileRow(row sqlaccounts.Filter) (*datapath.Filter, error) {
	var action configs.FilterAction
	if err := action.UnmarshalText([]byte(row.DefaultAction)); err != nil {
		return nil, err
	}
	var rules []datapath.Rule
	for i, r := range row.Rules {
		rule := configs.FilterRule{To: r.Network, Established: r.Established}
		faults := []error{rule.Action.UnmarshalText([]byte(r.Action)), rule.Direction.UnmarshalText([]byte(r.Direction))}
		if r.Protocol != "" {
			faults = append(faults, rule.Protocol.UnmarshalText([]byte(r.Protocol)))
		}
		for _, text := range r.Ports {
			var ports configs.Ports
			faults = append(faults, ports.UnmarshalText([]byte(text)))
			rule.Ports = append(rule.Ports, ports)
		}
		for _, t := range r.Types {
			rule.Types = append(rule.Types, int(t))
		}
		if err := errors.Join(faults...); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		rules = append(rules, filterRule(rule))
	}
	return datapath.NewFilter(row.Name, filterAction(action), rules)
}
