package dialect

import "fmt"

// Equipment is what kind of NAS asks, and so in whose words it is told what a user gets.
type Equipment uint8

// The kinds. Each takes the attributes of the standard, and these words of its own beside them.
const (
	Standard Equipment = iota // none: rates cannot be said; DNS and NBNS as Microsoft has them, which nearly everybody takes
	Mikrotik                  // Mikrotik-Rate-Limit, Mikrotik-Delegated-IPv6-Pool
	Cisco                     // Cisco-AVPair for pools, servers and rates
	Huawei                    // Huawei's own for pools, DNS and rates
	WISPr                     // rates as the Wi-Fi Alliance has them
	Accel                     // accel-ppp: Filter-Id holds the rates, and so it cannot name a filter
	equipmentCount
)

var equipmentNames = [...]string{"standard", "mikrotik", "cisco", "huawei", "wispr", "accel"}

// String names the kind as the configuration does.
func (e Equipment) String() string {
	if e < equipmentCount {
		return equipmentNames[e]
	}
	return fmt.Sprintf("equipment %d", uint8(e))
}

// ParseEquipment reads a name as String writes it.
func ParseEquipment(name string) (Equipment, error) {
	for i, n := range equipmentNames {
		if n == name {
			return Equipment(i), nil
		}
	}
	return Standard, fmt.Errorf("unknown type of NAS %q: use one of %q", name, equipmentNames)
}
