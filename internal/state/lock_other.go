//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package state

import "os"

// flock does nothing where there is no flock.
func flock(*os.File) error { return nil }
