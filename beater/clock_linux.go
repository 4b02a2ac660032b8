package beater

import "golang.org/x/sys/unix"

// monotonic is CLOCK_MONOTONIC in microseconds, 0 where there is none.
func monotonic() int64 {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &at) != nil {
		return 0
	}
	return at.Nano() / 1000
}
