package stores

import (
	"bytes"
	"os/exec"
	"testing"
	"time"
)

// Background runs a program until the test ends. Where the test fails, its log has the end
// of what the program said.
func Background(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			text := said.Bytes()
			t.Logf("%s: %s", name, text[max(len(text)-4000, 0):])
		}
	})
}

// Until tries something until it gives no error, for a minute at most.
func Until(t *testing.T, what string, try func() error) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not in time: %s: %v", what, err)
		}
	}
}
