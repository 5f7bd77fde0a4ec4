package metrics

import (
	"fmt"
	"slices"
	"strings"
)

// expression is what a PromQL expression uses: metrics with the labels that it compares, and the labels that it groups by.
type expression struct {
	metrics map[string][]string          // labels compared, by metric
	values  map[string]map[string]string // by metric and label: what it is compared with
	grouped []string
}

// words of PromQL that are no metrics, as far as our files use them. What is not here is a fault.
var (
	aggregations = []string{"sum", "min", "max", "count", "avg"}
	functions    = []string{"rate", "increase", "deriv", "histogram_quantile"}
	grouping     = []string{"by", "on", "without", "ignoring"}
	operators    = []string{"and", "or", "unless", "offset"}
)

// parser reads the tokens of an expression from front to back. It knows less than Prometheus, and refuses the rest.
type parser struct {
	tokens []string
	at     int
	found  expression
}

func parsePromQL(text string) (expression, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return expression{}, err
	}
	p := &parser{tokens: tokens, found: expression{metrics: map[string][]string{}, values: map[string]map[string]string{}}}
	if err := p.expression(); err != nil {
		return expression{}, fmt.Errorf("%w in %s", err, text)
	}
	if p.at != len(tokens) {
		return expression{}, fmt.Errorf("%q is left over in %s", tokens[p.at:], text)
	}
	return p.found, nil
}

const wordRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:."

func tokenize(text string) (tokens []string, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(wordRunes, r) })
		switch {
		case n < 0:
			n = len(text)
		case n > 0:
		case text[0] == '"':
			if n = strings.IndexByte(text[1:], '"') + 2; n < 2 {
				return nil, fmt.Errorf("a string without an end: %s", text)
			}
		case slices.Contains([]string{"==", "!=", "=~", "!~", "<=", ">="}, text[:min(2, len(text))]):
			n = 2
		case strings.ContainsRune("(){}[],=<>+-*/", rune(text[0])):
			n = 1
		default:
			return nil, fmt.Errorf("%q is not understood", text)
		}
		tokens = append(tokens, text[:n])
		text = text[n:]
	}
	return tokens, nil
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) take(want string) error {
	if got := p.next(); got != want {
		return fmt.Errorf("%q instead of %q", got, want)
	}
	return nil
}

// expression is operands with operators between them.
func (p *parser) expression() error {
	for {
		if err := p.operand(); err != nil {
			return err
		}
		t := p.peek()
		if !slices.Contains([]string{"+", "-", "*", "/", "<", ">", "==", "!=", "<=", ">=", "and", "or", "unless"}, t) {
			return nil
		}
		p.next()
		if slices.Contains(grouping[1:], p.peek()) {
			p.next()
			if err := p.labels(); err != nil {
				return err
			}
		}
	}
}

func (p *parser) operand() error {
	t := p.next()
	switch {
	case t == "(":
		if err := p.expression(); err != nil {
			return err
		}
		return p.take(")")
	case t != "" && t[0] >= '0' && t[0] <= '9':
		return nil
	case slices.Contains(aggregations, t):
		if slices.Contains(grouping, p.peek()) {
			p.next()
			if err := p.labels(); err != nil {
				return err
			}
		}
		return p.arguments()
	case slices.Contains(functions, t):
		return p.arguments()
	case slices.Contains(operators, t) || t == "" || !strings.ContainsRune(wordRunes, rune(t[0])):
		return fmt.Errorf("%q where a value should be", t)
	}
	return p.selector(t)
}

func (p *parser) arguments() error {
	if err := p.take("("); err != nil {
		return err
	}
	for {
		if err := p.expression(); err != nil {
			return err
		}
		if p.peek() != "," {
			return p.take(")")
		}
		p.next()
	}
}

// selector is a metric with its conditions, range and offset.
func (p *parser) selector(metric string) error {
	p.found.metrics[metric] = append(p.found.metrics[metric], []string{}...)
	if p.peek() == "{" {
		p.next()
		for p.peek() != "}" {
			label, operator, value := p.next(), p.next(), p.next()
			if !slices.Contains([]string{"=", "!=", "=~", "!~"}, operator) || !strings.HasPrefix(value, `"`) {
				return fmt.Errorf("the condition %s%s%s", label, operator, value)
			}
			p.found.metrics[metric] = append(p.found.metrics[metric], label)
			if p.found.values[metric] == nil {
				p.found.values[metric] = map[string]string{}
			}
			p.found.values[metric][label] = strings.Trim(value, `"`)
			if p.peek() == "," {
				p.next()
			}
		}
		p.next()
	}
	if p.peek() == "[" {
		p.at += 2
		if err := p.take("]"); err != nil {
			return err
		}
	}
	if p.peek() == "offset" {
		p.at += 2
	}
	return nil
}

func (p *parser) labels() error {
	if err := p.take("("); err != nil {
		return err
	}
	for p.peek() != ")" {
		p.found.grouped = append(p.found.grouped, p.next())
		if p.peek() == "," {
			p.next()
		}
		if p.at > len(p.tokens) {
			return fmt.Errorf("a list of labels without an end")
		}
	}
	return p.take(")")
}
