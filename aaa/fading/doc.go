// Package fading remembers things for a while, in bounded memory: what strangers can make somebody remember must neither last nor grow.
// It does not know what it remembers, and it asks nobody for the time.
package fading
