//go:build !linux

package beater

// monotonic is for systemd, which is not here.
func monotonic() int64 { return 0 }
