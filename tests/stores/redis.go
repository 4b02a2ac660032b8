package stores

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
)

// Redis is a redis-server that has on disk what it acknowledges (appendfsync always).
// It wants a Password. Its TLSAddr speaks TLS with a certificate of CA.
func Redis(t testing.TB) *Server {
	t.Helper()
	return once(t, "redis", newRedis)
}

func newRedis(dir string) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is missing (make store-tools)")
	}
	s := &Server{Name: "redis", Password: password, dir: dir}
	if s.Addr, err = FreeAddr(); err != nil {
		return nil, err
	}
	if s.TLSAddr, err = FreeAddr(); err != nil {
		return nil, err
	}
	ca, err := NewCA(dir)
	if err != nil {
		return nil, err
	}
	s.CA = ca.File
	cert, key, err := ca.Sign("redis", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(conf, []byte(strings.Join([]string{
		"bind 127.0.0.1", "port " + port(s.Addr), "dir " + dir, "appendonly yes", "appendfsync always", "save \"\"",
		"requirepass " + s.Password, "tls-port " + port(s.TLSAddr), "tls-cert-file " + cert, "tls-key-file " + key,
		"tls-ca-cert-file " + ca.File, "tls-auth-clients no", "",
	}, "\n")), 0o600); err != nil {
		return nil, err
	}
	s.command = func() *exec.Cmd { return exec.Command(program, conf) }
	s.ready = func() error {
		c, err := s.redis()
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Do("PING")
		return err
	}
	return s, nil
}

func (s *Server) redis() (redis.Conn, error) {
	return redis.Dial("tcp", s.Addr, redis.DialPassword(s.Password))
}

// List is what is in a list of Redis.
func (s *Server) List(t testing.TB, key string) [][]byte {
	t.Helper()
	c, err := s.redis()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := redis.ByteSlices(c.Do("LRANGE", key, 0, -1))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
