package dialect

import "lnsgate/aaa/radius/wire"

// wispr is the rates of the Wi-Fi Alliance's best current practices (WISPr 1.0, 2003, appendix C), in bits per second.
var wispr = family{
	wire.WISPrBandwidthMaxUp:   changing(number("WISPr-Bandwidth-Max-Up", func(o *offer, n uint32) error { return setRate(&o.rates[ofWISPr].up, uint64(n)) })),
	wire.WISPrBandwidthMaxDown: changing(number("WISPr-Bandwidth-Max-Down", func(o *offer, n uint32) error { return setRate(&o.rates[ofWISPr].down, uint64(n)) })),
}

func setRate(field **uint64, n uint64) error {
	*field = &n
	return nil
}
