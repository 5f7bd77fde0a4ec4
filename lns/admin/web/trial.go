package web

import (
	"net/http"
	"net/netip"
	"strings"

	"lnsgate/lns/admin"
)

// trialView is what would become of a login that nobody makes.
type trialView struct {
	frame
	Test     admin.LoginTest // without its password
	From     string
	Methods  []string
	Forecast *admin.LoginForecast
	Tone     string
	Proven   bool // a password was given
}

func (a *ask) trialView() trialView {
	return trialView{frame: a.frame("logins", "Test a login"), Methods: []string{"pap", "chap", "mschapv2", "eap"}}
}

func (p *Page) trial(a *ask) error {
	v := a.trialView()
	v.Test.User = a.URL.Query().Get("user")
	return a.show("trial", v)
}

// tryLogin asks the interface. Nothing is leased, counted or recorded, so the answer is shown at once.
func (p *Page) tryLogin(a *ask) error {
	v := a.trialView()
	form := a.PostForm
	v.Test = admin.LoginTest{User: form.Get("user"), Domain: form.Get("domain"), Method: form.Get("method")}
	v.From = strings.TrimSpace(form.Get("from"))
	test := v.Test
	test.Password = form.Get("password")
	v.Proven = test.Password != ""
	if v.From != "" {
		from, err := netip.ParseAddr(v.From)
		if err != nil {
			return &admin.Error{Status: http.StatusBadRequest, Message: v.From + " is not an address"}
		}
		test.From = from
	}
	v.Forecast = new(admin.LoginForecast)
	if err := a.send(http.MethodPost, "/v1/test-login", test, v.Forecast); err != nil {
		return err
	}
	v.Tone = "bad"
	for _, s := range v.Forecast.Steps {
		if v.Tone = "ok"; s.Result == admin.Refused {
			v.Tone = "bad"
			break
		}
	}
	return a.show("trial", v)
}
