// Package datapathtest holds what every data path must do, as a suite of tests (Run), and a data path that only keeps
// records in memory (Fake) for tests of the engine.
//
// It does not make devices or sockets: a Rig brings those.
package datapathtest
