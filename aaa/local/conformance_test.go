package local_test

import (
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/local"
	"lnsgate/aaa/secret"
)

func TestConformance(t *testing.T) {
	aaatest.Run(t, func(t *testing.T, accounts []aaatest.Account) aaa.Backend {
		var own []local.Account
		for _, a := range accounts {
			own = append(own, local.Account{
				Name: a.Name, Credential: secret.Clear(a.Password), Disabled: a.Disabled,
				Address: a.Grant.Address, Pools: a.Grant.Pools, DNS: a.Grant.DNS, NBNS: a.Grant.NBNS,
				SessionTimeout: a.Grant.SessionTimeout, IdleTimeout: a.Grant.IdleTimeout, MTU: a.Grant.MTU,
			})
		}
		b, err := local.New(own)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
