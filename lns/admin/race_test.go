//go:build race

package admin

// slowdown is how much longer things may take under the race detector.
const slowdown = 10
