package stores

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elastic/sarama"
)

// Kafka is an Apache Kafka 4.1 of one node that is its own controller. Addr is for the
// tests themselves; whoever connects to Gate goes through that, also when the broker
// names its address; TLSAddr speaks TLS with a certificate of CA and wants User and
// Password (SASL, PLAIN).
func Kafka(t testing.TB) *Server {
	t.Helper()
	return once(t, "kafka", newKafka)
}

func newKafka(dir string) (*Server, error) {
	home, err := java()
	if err != nil {
		return nil, err
	}
	lib, err := fetched("kafka")
	if err != nil {
		return nil, err
	}
	var addrs [4]string
	for i := range addrs {
		if addrs[i], err = FreeAddr(); err != nil {
			return nil, err
		}
	}
	s := &Server{Name: "kafka", Addr: addrs[0], TLSAddr: addrs[3], User: "tests", Password: password, dir: dir}
	if s.Gate, err = newGate(addrs[1]); err != nil {
		return nil, err
	}
	ca, err := NewCA(dir)
	if err != nil {
		return nil, err
	}
	s.CA = ca.File
	cert, key, err := ca.Sign("kafka", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	var both []byte
	for _, file := range []string{key, cert} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		both = append(both, text...)
	}
	store := filepath.Join(dir, "kafka.pem")
	if err := os.WriteFile(store, both, 0o600); err != nil {
		return nil, err
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, []byte(strings.Join([]string{
		"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + addrs[2],
		"listeners=INSIDE://" + addrs[0] + ",GATE://" + addrs[1] + ",SECURE://" + addrs[3] + ",CONTROLLER://" + addrs[2],
		"advertised.listeners=INSIDE://" + addrs[0] + ",GATE://" + s.Gate.Addr + ",SECURE://" + addrs[3],
		"listener.security.protocol.map=INSIDE:PLAINTEXT,GATE:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name=INSIDE", "controller.listener.names=CONTROLLER",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + store, "sasl.enabled.mechanisms=PLAIN",
		`listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_` +
			s.User + `="` + s.Password + `";`,
		"log.dirs=" + filepath.Join(dir, "data"), "num.partitions=1", "offsets.topic.replication.factor=1",
		"",
	}, "\n")), 0o600); err != nil {
		return nil, err
	}
	run := func(heap string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(home, "bin", "java"), append([]string{
			"-Xmx" + heap, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", lib + "/*",
		}, args...)...)
		c.Dir = dir
		return c
	}
	out, err := run("128m", "kafka.tools.StorageTool", "format", "-t", base64.RawURLEncoding.EncodeToString(id[:]), "-c", properties).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("format the storage of kafka: %w: %s", err, out)
	}
	s.command = func() *exec.Cmd { return run("512m", "kafka.Kafka", properties) }
	s.ready = func() error {
		c, err := sarama.NewClient([]string{s.Addr}, kafkaConfig())
		if err != nil {
			return err
		}
		return c.Close()
	}
	return s, nil
}

func kafkaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_1_0_0
	c.Metadata.Retry.Max = 0
	c.Net.DialTimeout = time.Second
	return c
}

// Topic is what is in a topic, oldest first.
func (s *Server) Topic(t testing.TB, topic string) (all [][]byte) {
	t.Helper()
	config := kafkaConfig()
	config.Metadata.Retry.Max = 20
	client, err := sarama.NewClient([]string{s.Addr}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	end, err := client.GetOffset(topic, 0, sarama.OffsetNewest)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	if end == 0 {
		return nil
	}
	messages, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	limit := time.After(patience)
	for {
		select {
		case m := <-messages.Messages():
			all = append(all, m.Value)
			if m.Offset >= end-1 {
				return all
			}
		case <-limit:
			t.Fatalf("kafka: only %d messages of %s up to offset %d", len(all), topic, end)
		}
	}
}
