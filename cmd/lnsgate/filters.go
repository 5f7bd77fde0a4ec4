package main

import (
	"errors"
	"fmt"

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
