// Package stores runs real servers for tests, on loopback: what an output sends to,
// with the ways in which it fails. Each is started when a test first asks for it,
// serves all tests of the binary, and is ended by Main:
//
//	func TestMain(m *testing.M) { os.Exit(stores.Main(m)) }
//
// Nothing else imports this package than tests. What it needs is fetched by fetch.sh,
// or installed by the Makefile (store-tools). A server that cannot be had is a failure
// where CI is set, and else a skip.
package stores

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to come up: on two cores that others use
// too.
const patience = 120 * time.Second

var (
	mu      sync.Mutex
	shared  = map[any]*Server{} // by what was asked for
	refused = map[any]error{}
	folder  string // of everything that the servers write
)

// Main runs the tests of a package and ends its servers.
func Main(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	for _, s := range shared {
		s.end()
	}
	if folder != "" {
		os.RemoveAll(folder)
	}
	return code
}

// once gives the one server of a key, which make makes at the first time and starts.
// A server that a test has stopped is started again.
func once(t testing.TB, key any, make func(dir string) (*Server, error)) *Server {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	s, err := shared[key], refused[key]
	if s == nil && err == nil {
		if s, err = first(make); err != nil {
			refused[key] = err
		} else {
			shared[key] = s
		}
	}
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if !s.running() {
		s.Start(t)
	}
	return s
}

func first(make func(dir string) (*Server, error)) (*Server, error) {
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp("", "sipcmbeat-stores-"); err != nil {
			return nil, err
		}
		if err := os.Chmod(folder, 0o755); err != nil { // servers have another user
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(folder, "")
	if err != nil {
		return nil, err
	}
	s, err := make(dir)
	if err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// Server is a real server that runs in processes of its own.
type Server struct {
	Name     string
	Addr     string // host:port
	TLSAddr  string // the same with TLS, where that has a port of its own
	URL      string // of one that speaks HTTP
	User     string
	Password string
	CA       string // a file: who signed its certificate
	Gate     *Gate  // the way to it, of one that names its own address

	dir     string
	command func() *exec.Cmd // a new one for each start
	ready   func() error     // nil: it serves

	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	log   *os.File
}

func (s *Server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// start returns when the server serves.
func (s *Server) start() error {
	var err error
	if s.log == nil {
		if s.log, err = os.Create(filepath.Join(s.dir, "output")); err != nil {
			return err
		}
	}
	s.cmd = s.command()
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	attr := s.cmd.SysProcAttr
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = true // a signal reaches all that it starts
	attr.Pdeathsig = syscall.SIGKILL
	s.cmd.SysProcAttr = attr
	if err := launch(s.cmd); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for {
		if err = s.ready(); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("%s ended instead of serving: %s", s.Name, s.said())
		case <-limit:
			return fmt.Errorf("%s does not serve within %v: %w: %s", s.Name, patience, err, s.said())
		}
	}
}

// launch starts a command from a thread that stays: Pdeathsig is sent when the thread
// ends that started a process.
func launch(cmd *exec.Cmd) error {
	starts.Do(func() {
		go func() {
			runtime.LockOSThread()
			for c := range toStart {
				started <- c.Start()
			}
		}()
	})
	toStart <- cmd
	return <-started
}

var (
	starts  sync.Once
	toStart = make(chan *exec.Cmd)
	started = make(chan error)
)

// said is the end of what the server wrote.
func (s *Server) said() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "output"))
	return string(text[max(0, len(text)-4000):])
}

// signal reaches the processes of the server, not others.
func (s *Server) signal(sig syscall.Signal) {
	if s.running() {
		_ = syscall.Kill(-s.cmd.Process.Pid, sig)
	}
}

func (s *Server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.signal(syscall.SIGKILL)
		<-s.ended
	}
	if s.log != nil {
		s.log.Close()
	}
	if s.Gate != nil {
		s.Gate.close()
	}
}

// Kill ends the server as a loss of power does; what it has on disk stays.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if !s.running() {
		t.Fatalf("%s does not run", s.Name)
	}
	s.signal(syscall.SIGKILL)
	<-s.ended
}

// Start starts a server that was killed, where it was and with what it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// FreeAddr is an address of this host at which nobody listens. Its port is none that
// the kernel gives to connections: a server that is away for a while finds it free.
func FreeAddr() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", err
}

// fetched is the folder of a store that comes from Maven Central.
func fetched(store string) (string, error) {
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "fetch.sh")
	if !filepath.IsAbs(file) { // built with -trimpath: relative to the module
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
		if err != nil {
			return "", fmt.Errorf("find the module: %w", err)
		}
		script = filepath.Join(string(bytes.TrimSpace(root)), "tests", "stores", "fetch.sh")
	}
	c := exec.Command(script, store)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w: %s", store, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(bytes.TrimSpace(out)), nil
}

// java is a JDK 17's: older and newer ones do not run all of the servers.
func java() (home string, err error) {
	candidates, _ := filepath.Glob("/usr/lib/jvm/java-17-openjdk-*")
	if j := os.Getenv("JAVA_HOME"); j != "" {
		candidates = append(candidates, j)
	}
	for _, home := range candidates {
		if _, err := os.Stat(filepath.Join(home, "bin", "java")); err == nil {
			return home, nil
		}
	}
	return "", fmt.Errorf("no JDK 17 in /usr/lib/jvm nor JAVA_HOME (Debian: openjdk-17-jre-headless)")
}

// ordinary is the user for servers that refuse root, and for files which they read.
const ordinary = 65534

// give makes an ordinary user the owner of everything below dir, where we are root.
func give(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, ordinary, ordinary)
	})
}

// asOrdinary makes a command run as that user.
func asOrdinary(c *exec.Cmd) *exec.Cmd {
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary, NoSetGroups: true}}
	}
	return c
}
