package cmd

import "github.com/elastic/beats/v7/libbeat/common/seccomp"

// libbeat filters system calls before the program starts. Without these three,
// which its list lacks, the Go runtime dies at the end of --cpuprofile. There is no
// list on some architectures, and then nothing is filtered.
func init() {
	_ = seccomp.ModifyDefaultPolicy(seccomp.AddSyscall, "timer_create", "timer_settime", "timer_delete")
}
