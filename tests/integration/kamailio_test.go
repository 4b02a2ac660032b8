package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// kamailio is a running Kamailio.
type kamailio struct{ *process }

// kamailio starts it with a configuration of ours, definitions before that, and
// these sockets, each as in udp:127.0.0.1:5060.
func (r *room) kamailio(config string, definitions []string, sockets ...string) *kamailio {
	r.t.Helper()
	text, err := os.ReadFile("testdata/" + config + ".cfg")
	if err != nil {
		r.t.Fatal(err)
	}
	head := "#!KAMAILIO\n"
	for _, d := range definitions {
		head += "#!define " + d + "\n"
	}
	file := filepath.Join(r.dir, config+".cfg")
	if err := os.WriteFile(file, append([]byte(head), text...), 0o600); err != nil {
		r.t.Fatal(err)
	}
	state := r.t.TempDir() // its control sockets and process id
	args := []string{"kamailio", "-DD", "-E", "-m", "32", "-M", "8", "-f", file, "-Y", state}
	var ports []string
	for _, s := range sockets {
		args = append(args, "-l", s)
		part := strings.Split(s, ":")
		ports = append(ports, strings.Replace(part[0], "tls", "tcp", 1)+"/"+part[2])
	}
	k := &kamailio{r.start(args...)}
	r.await(k.process, ports...)
	return k
}

var (
	did        = regexp.MustCompile(`DID\|([a-z-]+)\|(\S+)`)
	accounted  = regexp.MustCompile(`ACC: .*;method=([A-Z]+);.*;call_id=([^;]+);code=(\d+);`)
	foundFault = regexp.MustCompile(`(?m)^.*(CRITICAL|ERROR):.*$`)
)

// counts is what it did, by its own log, each thing once: what it answers again
// because the request was sent again, it logs again.
func (k *kamailio) counts() counts {
	have := counts{}
	for thing := range k.things() {
		name, _, _ := strings.Cut(thing, " ")
		have[name]++
	}
	return have
}

func (k *kamailio) things() map[string]bool {
	things := map[string]bool{}
	for line := range strings.Lines(k.said()) {
		if m := did.FindStringSubmatch(line); m != nil {
			things[m[1]+" "+m[2]] = true
		}
		m := accounted.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		good := m[3] < "300"
		switch {
		case m[1] == "INVITE" && good:
			things["call-start "+m[2]] = true
		case m[1] == "INVITE":
			things["call-attempt "+m[2]] = true
		case m[1] == "BYE" && good:
			things["call-end "+m[2]] = true
		case m[1] != "BYE" && good:
			things["other-ok "+m[2]] = true
		}
	}
	return things
}

// stop ends it, and fails on the faults that it said until then.
func (k *kamailio) stop(r *room) {
	r.t.Helper()
	// sipcapture writes a type that the text tables lack; the row is written all the same.
	said := strings.ReplaceAll(k.said(), "ERROR: db_text [dbt_lib.c:447]", "")
	if faults := foundFault.FindAllString(said, 5); faults != nil {
		r.t.Errorf("kamailio: %s", strings.Join(faults, "\n"))
	}
	k.end(syscall.SIGTERM)
}

// row is a line of a file that SIPp fills fields from: user, credentials, and what
// the scenario wants.
func row(user string, password string, more ...string) string {
	return strings.Join(append([]string{user, fmt.Sprintf("[authentication username=%s password=%s]", user, password)}, more...), ";")
}

// file writes such a file.
func (r *room) file(name string, rows []string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name+".csv")
	if err := os.WriteFile(path, []byte("SEQUENTIAL\n"+strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// proxied sends SIPp's traffic through the Kamailio at 127.0.0.1:5060 and returns
// the events that it stands for by SIPp's own count: calls, refused calls, phones
// that register and leave, wrong passwords, messages.
func (r *room) proxied(n int) counts {
	r.t.Helper()
	for port, name := range map[int]string{5200: "proxied-answer", 5486: "proxied-busy", 5221: "proxied-message"} {
		r.await(r.sippServer("127.0.0.3", port, "-sf", scenario(name)), fmt.Sprintf("udp/%d", port))
	}
	jobs := []struct {
		name   string
		n      int
		more   string // field 2 and on
		wrong  bool
		events []string
		client *client
	}{
		{"proxy-call", n, "7200%d", false, []string{"call-start", "call-end"}, nil},
		{"proxy-refused", n / 2, "7486%d", false, []string{"call-attempt"}, nil},
		{"proxy-register", n / 2, "300;127.0.0.2:5%d", false, []string{"reg-new", "reg-del"}, nil},
		{"proxy-wrong", n / 4, "300;127.0.0.2:5%d", true, []string{"auth-failed"}, nil},
		{"proxy-message", n / 2, "7221%d", false, []string{"other-ok"}, nil},
	}
	for i := range jobs {
		j := &jobs[i]
		var rows []string
		for k := range j.n {
			user := fmt.Sprintf("u%d", 1000*(i+1)+k)
			password := "pw" + user
			if j.wrong {
				password = "guess"
			}
			rows = append(rows, row(user, password, strings.Split(fmt.Sprintf(j.more, 100+k), ";")...))
		}
		j.client = r.sipp("127.0.0.2", 5300+2*i, "127.0.0.1:5060", j.n, "-sf", scenario(j.name), "-inf", r.file(j.name, rows))
	}
	want := counts{}
	for _, j := range jobs {
		done := j.client.done()
		for _, e := range j.events {
			want[e] += done
		}
	}
	return want
}
