// Package configs is the typed configuration of lnsgate: it loads a YAML file strictly, fills in defaults, resolves
// secrets from files and reports every fault with its place. It does not know the rooms that the settings are for;
// cmd/lnsgate maps it to their own configurations, field by field.
//
// viper is used by this package alone, in a private instance per load. What it gets wrong by itself is switched off or
// checked before it sees the data: it folds the case of keys (so nothing a user names is ever a key), splits keys at
// dots (so the delimiter is "::"), turns numbers into text (so weak typing is off) and ignores unknown keys (so every
// unused key is a fault).
package configs
