package metrics

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/trace"

	"go.yaml.in/yaml/v3"
)

// exported are the labels of each metric that a full server tells, and of those that Prometheus adds.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	added := []string{"instance", "job"}
	all := map[string][]string{"up": added}
	for _, f := range families {
		var labels []string
		for _, m := range f.Metric {
			for _, l := range m.Label {
				labels = append(labels, l.GetName())
			}
		}
		labels = append(slices.Compact(slices.Sorted(slices.Values(labels))), added...)
		all[f.GetName()] = labels
		if f.GetType().String() == "HISTOGRAM" {
			delete(all, f.GetName())
			all[f.GetName()+"_bucket"], all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = append(labels, "le"), labels, labels
		}
	}
	return all
}

// values that labels can have, where they are few and ours.
func knownValues() map[string][]string {
	causes := []string{}
	for _, c := range trace.Causes() {
		causes = append(causes, c.Name())
	}
	return map[string][]string{"cause": causes, "state": {"free", "leased", "quarantined", "reserved"}, "outcome": {"accepted", "refused"},
		"place": {"control", "data", "socket"}, "job": {"lnsgate"}}
}

// check holds an expression against what is exported, and returns the labels that its result can have.
func check(t *testing.T, where, text string, all map[string][]string, used map[string]bool) []string {
	t.Helper()
	e, err := parsePromQL(text)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	var possible []string
	for metric, labels := range e.metrics {
		there, ok := all[metric]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, metric)
			continue
		}
		used[metric] = true
		possible = append(possible, there...)
		for _, l := range labels {
			if !slices.Contains(there, l) {
				t.Errorf("%s: %s has no label %s", where, metric, l)
			}
		}
		for label, value := range e.values[metric] {
			if known := knownValues()[label]; known != nil && !slices.Contains(known, value) {
				t.Errorf("%s: %s of %s is never %q", where, label, metric, value)
			}
		}
	}
	if len(e.metrics) == 0 {
		t.Errorf("%s asks for no metric: %s", where, text)
	}
	for _, l := range e.grouped {
		if !slices.Contains(possible, l) {
			t.Errorf("%s groups by %s, which no metric of it has: %s", where, l, text)
		}
	}
	if strings.HasPrefix(text, "sum by") || strings.HasPrefix(text, "60 * sum by") {
		return e.grouped
	}
	return possible
}

func TestAlertsUseWhatIsExported(t *testing.T) {
	text, err := os.ReadFile("../../../configs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	all, seen := exported(t), map[string]bool{}
	mention := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, r := range file.Groups[0].Rules {
		if seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s is there twice, or lacks a severity, a summary or a description", r.Alert)
		}
		seen[r.Alert] = true
		labels := check(t, r.Alert, r.Expr, all, map[string]bool{})
		for _, m := range mention.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
			if !slices.Contains(labels, m[1]) {
				t.Errorf("%s mentions the label %s, which it does not have", r.Alert, m[1])
			}
		}
	}
	for _, wanted := range []string{"LnsgatePoolNearlyFull", "LnsgateRADIUSServerDead", "LnsgateVerdictRising", "LnsgateDatabaseAway",
		"LnsgateSpoolGrowing", "LnsgateNoLogins"} {
		if !seen[wanted] {
			t.Errorf("there is no alert %s", wanted)
		}
	}
}

// The dashboard shows every metric that this room names, and nothing that does not exist.
func TestDashboardUsesWhatIsExported(t *testing.T) {
	text, err := os.ReadFile("../../../configs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID        string `json:"uid"`
		Templating struct {
			List []struct{ Name, Query string } `json:"list"`
		} `json:"templating"`
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat, RefID string }
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	all, used := exported(t), map[string]bool{}
	mention := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for i, p := range board.Panels {
		if p.ID != i+1 || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		for _, target := range p.Targets {
			labels := check(t, p.Title, strings.ReplaceAll(target.Expr, "$instance", ".*"), all, used)
			for _, m := range mention.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: the legend names the label %s, which the result does not have", p.Title, m[1])
				}
			}
		}
	}
	for _, f := range families {
		if !used[f.name] && !used[f.name+"_bucket"] {
			t.Errorf("no panel shows %s", f.name)
		}
	}
	if len(board.Panels) < 20 || len(board.Templating.List) != 2 {
		t.Errorf("%d panels, %d variables", len(board.Panels), len(board.Templating.List))
	}
}

// The checks above can fail.
func TestParserOfPromQLRefusesNonsense(t *testing.T) {
	for _, text := range []string{"", "sum(", "sum by (x (a)", "a{b=c}", "a{b=\"c\"", "rate(a[5m)", "a b", "a ?", "topk(3, a)", `a{b="c}`, "a + ", "and a"} {
		if e, err := parsePromQL(text); err == nil {
			t.Errorf("%q is taken: %+v", text, e)
		}
	}
	e, err := parsePromQL(`sum by (x) (rate(a{b="c", d!="e"}[5m] offset 1d)) > 5 * a and on (y) z`)
	if err != nil || !slices.Equal(e.metrics["a"], []string{"b", "d"}) || !slices.Equal(e.grouped, []string{"x", "y"}) || e.values["a"]["b"] != "c" {
		t.Errorf("%+v, %v", e, err)
	}
}
