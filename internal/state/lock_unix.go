//go:build linux || darwin || freebsd || netbsd || openbsd

package state

import (
	"errors"
	"os"
	"syscall"
)

// flock takes the lock, which goes with the process.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errHeld
	}
	return err
}
