package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/limit"
)

// Kind is what a value of a key looks like.
type Kind uint8

// The kinds.
const (
	Text     Kind = iota // a word or a sentence
	Flag                 // true or false
	Whole                // a whole number
	Number               // a number, also with a fraction
	Duration             // 30s, 1m30s, 100ms; a number alone is seconds
	Bytes                // a Size
	List                 // of texts; one may stand alone
	Objects              // a list of keys and values
)

// String says it for the document.
func (k Kind) String() string {
	return [...]string{"text", "true or false", "whole number", "number", "duration", "size", "list", "list of inputs"}[k]
}

// Key is a row of the document.
type Key struct {
	Name    string // without the name of the section
	Kind    Kind
	Secret  bool   // its value is shown to nobody
	Allowed string // beyond what the kind says; "" is nothing
	Default string // where it is not the value in DefaultKeys
	Meaning string
	Of      string // of a key of inputs: the types of inputs that have it, all when empty
	Reload  bool   // a reload takes it up (see Take); else a restart does
}

// allowed is the end of an error.
func (k Key) allowed() string {
	kind := [...]string{"a text", "true, false", "whole numbers", "numbers",
		"durations such as 30s, 1m30s or 100ms", "sizes such as 512MiB", "a list, or one value", "a list of inputs, such as [{type: live, iface: eth0}]"}[k.Kind]
	switch {
	case k.Allowed == "":
		return kind
	case k.Kind == Flag || k.Kind == Text:
		return k.Allowed
	}
	return kind + ", " + k.Allowed
}

// Group is a part of the section with a title.
type Group struct {
	Title string
	Text  string
	Keys  []Key
}

// tunnelPorts is what a list of ports of one kind of tunnel takes.
const tunnelPorts = "each 1 to 65535 and in one such list only, none"

// Groups describes every key: docs/config.md and sipcmbeat.reference.yml are made
// of it, and a test holds it equal to Keys.
var Groups = []Group{
	{"Live capture", "From an interface, when pcap is not set.", []Key{
		{Name: "iface", Kind: List, Allowed: "names of interfaces, or any", Meaning: "The interfaces to capture from, in a list or with commas between them; any is all of them. `sipcmbeat devices` lists them."},
		{Name: "bpf", Default: "made from ports", Meaning: "A capture filter in the language of pcap-filter(7), in place of the one made from ports and tunnels. A warning says when it hides fragments, VLAN tags or tunnels."},
		{Name: "snaplen", Kind: Whole, Allowed: "64 to 262144", Meaning: "How many bytes of a frame are taken. With receive offload a frame may be 64 KiB long."},
		{Name: "promiscuous", Kind: Flag, Meaning: "Take frames for others too, as at a mirror port."},
		{Name: "pcap_buf_kb", Kind: Whole, Allowed: "256 to 1048576", Meaning: "The buffer between kernel and program, in KiB, of each worker: what a burst may need."},
		{Name: "capture", Allowed: "auto, af_packet, pcap", Meaning: "How to capture. af_packet: a ring of memory that is shared with the kernel (Linux). pcap: libpcap. auto: the first where it is possible, else the second."},
		{Name: "workers", Kind: Whole, Allowed: "1 to 64", Meaning: "How many workers share the packets of an interface, each with a ring of its own; a flow stays with one of them (af_packet)."},
		{Name: "fanout_group", Kind: Whole, Allowed: "0 (one of our own) to 65535", Meaning: "The number under which the kernel shares packets among workers, also those of another program that names the same (af_packet)."},
		{Name: "block_size", Kind: Bytes, Allowed: "a power of two, 64KiB to 64MiB", Meaning: "The part of the buffer that the kernel hands over at a time (af_packet)."},
	}},
	{"Several inputs", "Interfaces, files and HEP at once. Each input has a type and keys of its own; what it leaves out is taken from the key of the same name elsewhere here. Without inputs, iface or pcap is the only one. Mirror duplicates are recognised across inputs. Several file inputs are read in the order of their packets; beside a live one, a file's packets are old ones and its end decides nothing.", []Key{
		{Name: "inputs", Kind: Objects, Meaning: "The list: `[{type: live, iface: eth0}, {type: file, pcap: old.pcap}]`. With it, iface has to be any and pcap none."},
		{Name: "inputs.type", Allowed: "live, file, hep, siptrace", Default: "none", Meaning: "What the input is: an interface, capture files, HEP from capture agents, or plain SIP copies of Kamailio's siptrace."},
		{Name: "inputs.any_port", Kind: Flag, Default: "that of any_port", Meaning: "As any_port, for this input."},
		{Name: "inputs.iface", Kind: List, Allowed: "names of interfaces, or any", Default: "that of iface", Of: "live", Meaning: "As iface, for this input."},
		{Name: "inputs.bpf", Default: "that of bpf", Of: "live", Meaning: "As bpf, for this input."},
		{Name: "inputs.snaplen", Kind: Whole, Allowed: "64 to 262144", Default: "that of snaplen", Of: "live", Meaning: "As snaplen, for this input."},
		{Name: "inputs.promiscuous", Kind: Flag, Default: "that of promiscuous", Of: "live", Meaning: "As promiscuous, for this input."},
		{Name: "inputs.pcap_buf_kb", Kind: Whole, Allowed: "256 to 1048576", Default: "that of pcap_buf_kb", Of: "live", Meaning: "As pcap_buf_kb, for this input."},
		{Name: "inputs.capture", Allowed: "auto, af_packet, pcap", Default: "that of capture", Of: "live", Meaning: "As capture, for this input."},
		{Name: "inputs.workers", Kind: Whole, Allowed: "1 to 64", Default: "that of workers", Of: "live", Meaning: "As workers, for this input."},
		{Name: "inputs.fanout_group", Kind: Whole, Allowed: "0 (one of our own) to 65535", Default: "that of fanout_group", Of: "live", Meaning: "As fanout_group, for this input."},
		{Name: "inputs.block_size", Kind: Bytes, Allowed: "a power of two, 64KiB to 64MiB", Default: "that of block_size", Of: "live", Meaning: "As block_size, for this input."},
		{Name: "inputs.pcap", Kind: List, Allowed: "file names, patterns", Default: "that of pcap", Of: "file", Meaning: "As pcap, for this input."},
		{Name: "inputs.pcap_loop", Kind: Whole, Allowed: "1 where there are several inputs", Default: "that of pcap_loop", Of: "file", Meaning: "As pcap_loop, for this input."},
		{Name: "inputs.replay", Kind: Flag, Default: "that of replay", Of: "file", Meaning: "As replay, for this input."},
		{Name: "inputs.replay_scale", Kind: Number, Allowed: "above 0 to 1e6", Default: "that of replay_scale", Of: "file", Meaning: "As replay_scale, for this input."},
		{Name: "inputs.replay_min_delay", Kind: Duration, Allowed: "0 and above", Default: "that of replay_min_delay", Of: "file", Meaning: "As replay_min_delay, for this input."},
		{Name: "inputs.replay_max_delay", Kind: Duration, Allowed: "0 (no limit) and above", Default: "that of replay_max_delay", Of: "file", Meaning: "As replay_max_delay, for this input."},
		{Name: "inputs.listen", Kind: List, Allowed: "udp, tcp or tls, address and port, as in udp:0.0.0.0:9060", Default: "udp:0.0.0.0:9060 for hep, none for siptrace", Of: "hep siptrace", Meaning: "Where to take packets; those of siptrace come by udp alone. 0.0.0.0 is all of IPv4, [::] all of IPv6, and udp::9060 both."},
		{Name: "inputs.cert", Default: "none", Of: "hep", Meaning: "The file of the certificate for tls, in PEM."},
		{Name: "inputs.key", Default: "none", Of: "hep", Meaning: "The file of the certificate's private key, in PEM."},
		{Name: "inputs.auth_keys", Reload: true, Secret: true, Kind: List, Allowed: "texts, ${NAME} from the environment or the keystore, none (no key is asked for)", Default: "none", Of: "hep", Meaning: "Keys of which a HEP packet must have one; versions 1 and 2, which have none, are refused then. They go over the wire in clear text: use tls too."},
		{Name: "inputs.allow", Reload: true, Kind: List, Allowed: "networks such as 192.0.2.0/24, addresses, none (everybody)", Default: "none", Of: "hep siptrace", Meaning: "Who may send. Whoever may can invent calls. What is refused is counted, and logged once a minute for each sender."},
		{Name: "inputs.max_connections", Kind: Whole, Allowed: "1 to 65536", Default: "256", Of: "hep", Meaning: "Connections by tcp and tls at a time; at the limit one that never sent a packet gives way, else more are refused."},
		{Name: "inputs.idle_timeout", Kind: Duration, Allowed: "1s to 720h", Default: "1h", Of: "hep", Meaning: "A connection that is silent for so long is closed."},
		{Name: "inputs.buffer_kb", Kind: Whole, Allowed: "64 to 1048576", Default: "8192", Of: "hep siptrace", Meaning: "The buffer between kernel and program of each udp socket, in KiB: what a burst may need. The kernel's limit (net.core.rmem_max) holds without CAP_NET_ADMIN."},
	}},
	{"What is SIP", "", []Key{
		{Name: "ports", Kind: List, Allowed: "each 1 to 65535", Meaning: "The SIP ports. What is neither SIP nor a keep-alive on them is a msg-probe."},
		{Name: "any_port", Kind: Flag, Default: "true for files, false live", Meaning: "Take what starts like SIP on every other port too. Live, the kernel's filter is made from ports all the same, unless bpf is set."},
		{Name: "websocket_ports", Kind: List, Allowed: "each 1 to 65535, none", Meaning: "TCP ports of SIP over WebSocket: 80 is the protocol's own (RFC 6455), 8080 its usual second. A connection on them is followed from its handshake; what is no WebSocket is left alone and is no msg-probe. 443 is TLS, which can't be read. On the SIP ports, and with any_port on every other, WebSocket is recognised too."},
		{Name: "vxlan_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of VXLAN and VXLAN-GPE. On the ports of tunnels, what has no such header is read as on any other port."},
		{Name: "geneve_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of Geneve."},
		{Name: "gtp_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of GTP-U."},
		{Name: "tzsp_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of TZSP, the mirror of MikroTik's routers."},
		{Name: "l2tp_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of L2TP, at either end."},
		{Name: "esp_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports of ESP behind address translators, at either end. ESP is read where it is not encrypted, as in an IMS."},
		{Name: "hep_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP and TCP ports of HEP receivers: what proxies and agents send there is read in place of theirs. HEP of version 3 is read on every port where any_port is true."},
		{Name: "siptrace_ports", Kind: List, Allowed: tunnelPorts, Meaning: "UDP ports to which Kamailio's module siptrace sends plain copies of messages, with its X-Siptrace fields. Whoever reaches such a port chooses the addresses of his messages."},
		{Name: "dedup_window", Kind: Duration, Allowed: "0 (off) to 1m", Meaning: "The same message from another VLAN, tunnel or interface, or by HEP, within this time is a mirror duplicate and not looked at."},
		{Name: "fragments.max", Kind: Whole, Allowed: "1 to 1048576", Meaning: "How many IP datagrams may wait for the rest of their fragments."},
		{Name: "fragments.bytes", Kind: Bytes, Allowed: "64KiB to 1GiB", Meaning: "How much memory their fragments may take."},
		{Name: "fragments.age", Kind: Duration, Allowed: "1s to 10m", Meaning: "How long they may wait, in packet time."},
		{Name: "tcp.idle_timeout", Kind: Duration, Allowed: "1s to 24h", Meaning: "A TCP connection that is silent for so long is forgotten."},
		{Name: "tcp.hole_timeout", Kind: Duration, Allowed: "10ms to 1m", Meaning: "How long later bytes wait for missing ones; then the messages in the hole are given up."},
		{Name: "tcp.max_message", Kind: Bytes, Allowed: "4KiB to 1MiB", Meaning: "The longest message; of a longer one the header section is read."},
		{Name: "tcp.max_streams", Kind: Whole, Allowed: "16 to 4194304", Meaning: "Connections that are followed at a time; the oldest give way."},
		{Name: "tcp.max_bytes", Kind: Bytes, Allowed: "1536KiB to 1GiB", Meaning: "Memory for incomplete messages and for what is out of order, over all connections."},
		{Name: "tcp.max_stream_bytes", Kind: Bytes, Allowed: "16KiB to 1MiB", Meaning: "How far ahead of a hole bytes are held, in one direction."},
	}},
	{"Capture files", "Files are read at full speed and in packet time, so that a capture gives the same events whenever and however fast it is read.", []Key{
		{Name: "pcap", Kind: List, Allowed: "file names, patterns such as \"*.pcap\", - for standard input, none", Meaning: "Capture files to read in place of an interface: pcap or pcapng, gzip or not. With it, iface has to be any."},
		{Name: "pcap_loop", Kind: Whole, Allowed: "how often, 0 (once), -1 for ever", Meaning: "How often to read all of them."},
		{Name: "replay", Kind: Flag, Meaning: "Read them at recorded speed."},
		{Name: "replay_scale", Kind: Number, Allowed: "above 0 to 1e6, 0 (as 1)", Meaning: "Times the recorded delays: 0.5 is twice as fast."},
		{Name: "replay_min_delay", Kind: Duration, Allowed: "0 and above", Meaning: "The least delay between two frames when replay is true."},
		{Name: "replay_max_delay", Kind: Duration, Allowed: "0 (no limit) and above", Meaning: "The greatest delay between two frames when replay is true."},
		{Name: "replay_flush", Allowed: "pending, all, none", Meaning: "What the end of the last file decides. pending: what waits only for a timer, marked end-of-capture. all: calls still up and bindings still alive too. none: nothing, which is the default with state.enabled."},
		{Name: "run_forever", Kind: Flag, Meaning: "Go on after the last file until a signal comes."},
	}},
	{"Calls", "Timers are in packet time. The letters are those of RFC 3261.", []Key{
		{Name: "calls_timeouts.invite", Reload: true, Kind: Duration, Allowed: "1s to 1h", Meaning: "No answer at all to an INVITE (Timer B): the attempt has failed."},
		{Name: "calls_timeouts.proceeding", Reload: true, Kind: Duration, Allowed: "1s to 24h", Meaning: "No final answer after the last provisional one (Timer C)."},
		{Name: "calls_timeouts.request", Reload: true, Kind: Duration, Allowed: "1s to 1h", Meaning: "No final answer to another request (Timer F)."},
		{Name: "calls_timeouts.bye", Reload: true, Kind: Duration, Allowed: "1s to 1h", Meaning: "No answer to a BYE: the call is over."},
		{Name: "calls_timeouts.established", Reload: true, Kind: Duration, Allowed: "1m to 720h", Meaning: "A call without a sign of life for so long is over."},
		{Name: "calls_timeouts.auth_linger", Reload: true, Kind: Duration, Allowed: "1s to 1h", Meaning: "How long a challenge (401, 407) waits for credentials."},
		{Name: "calls_timeouts.retry_linger", Reload: true, Kind: Duration, Allowed: "100ms to 1h", Meaning: "How long a refusal that clients usually retry waits for the next try."},
		{Name: "calls_timeouts.early", Reload: true, Kind: Duration, Allowed: "0 to 10s", Meaning: "How long an answer that is seen before its request waits for it."},
		{Name: "calls_timeouts.completed", Reload: true, Kind: Duration, Allowed: "1s to 1h", Meaning: "How long what is over is remembered, so that repeats make no second event."},
		{Name: "calls_timeouts.warmup", Reload: true, Kind: Duration, Allowed: "0 (the binding's own lifetime, at most 1h) to 24h", Meaning: "A reg-new so soon after the start may be a refresh and says so."},
		{Name: "calls_max_entries", Reload: true, Kind: Whole, Allowed: "64 and above, 0 (the default)", Meaning: "Calls, attempts and other transactions in memory; what is worth least gives way, with an event marked evicted: what is finished, then what one side alone was heard of, then calls that ring, then answered ones."},
		{Name: "calls_max_mem", Reload: true, Kind: Bytes, Allowed: "1MiB and above, 0 (the default)", Default: "a quarter of the memory", Meaning: "Their memory. The default is a quarter of the machine's, or of the control group's."},
	}},
	{"Registrations", "", []Key{
		{Name: "regs_max_entries", Reload: true, Kind: Whole, Allowed: "64 and above, 0 (the default)", Meaning: "Bindings in memory; those known from answers only give way first, then those that were never refreshed, then the oldest."},
		{Name: "regs_max_mem", Reload: true, Kind: Bytes, Allowed: "1MiB and above, 0 (the default)", Default: "a quarter of the memory", Meaning: "Their memory. The default is as with calls_max_mem."},
		{Name: "reg_exp_delta", Reload: true, Kind: Duration, Allowed: "0 to 24h", Meaning: "Grace after a binding's lifetime before it has expired, never more than half of the lifetime."},
		{Name: "reg_del_delay", Reload: true, Kind: Duration, Allowed: "0 to 1h", Meaning: "Wait before a reg-del is said; a registration in between takes it back."},
		{Name: "contact_ignore_port", Kind: Flag, Meaning: "Contacts that differ in their port only are one."},
	}},
	{"Saved state", "What is going on outlives a restart: calls, bindings, transactions under way, nonces. docs/operating.md tells more.", []Key{
		{Name: "state.enabled", Kind: Flag, Default: "true with a live input, false over files", Meaning: "Read the state at the start, write it at the end and every state.interval. Over files it is written when all were read to their ends, which then decide nothing unless replay_flush is set."},
		{Name: "state.path", Default: "sipcmbeat.state in path.data", Allowed: "a file, within path.data unless it begins with /", Meaning: "The file, of one instance alone. replay has no default, and takes it from its working directory."},
		{Name: "state.interval", Kind: Duration, Allowed: "1s to 24h", Meaning: "How often it is written while a live input runs: what a crash loses at most."},
	}},
	{"Privacy", "What becomes of values that name somebody in everything that leaves: events, pages, logs, files, HEP output. encrypt: readable with the key (`sipcmbeat decrypt`). hmac: one way, equal values stay equal. truncate: the network of an address, the beginning of a number. redact: left out. docs/fields.md says which field is in which group, docs/privacy.md what protects against what. Anything but clear needs a key.", []Key{
		{Name: "privacy.addresses", Reload: true, Allowed: "clear, encrypt, hmac, truncate, redact", Meaning: "IP addresses, wherever they stand. Encrypted ones are addresses too, and those of one network stay in one."},
		{Name: "privacy.uris", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "Users, hosts and display names of URIs, and what stands beside them; the scheme, the port and what is harmless stay."},
		{Name: "privacy.numbers", Reload: true, Allowed: "clear, encrypt, hmac, truncate, redact", Meaning: "Telephone numbers, also as the user of a URI."},
		{Name: "privacy.call_ids", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "Call-IDs, and ids of sessions and correlation. Hashes of them are keyed."},
		{Name: "privacy.user_agents", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "User-Agent and Server."},
		{Name: "privacy.geo", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "Where an address is, once records have that."},
		{Name: "privacy.errors", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "Texts that quote the wire: error.message, reason phrases but the usual ones, headers by name. Never clear while something else is private: then as the strictest of the others."},
		{Name: "privacy.tags", Reload: true, Allowed: "clear, encrypt, hmac, redact", Meaning: "Tags of From and To."},
		{Name: "privacy.key", Reload: true, Secret: true, Allowed: "32 bytes as base64 or hexadecimal; ${NAME} from the keystore or the environment", Meaning: "The key. `sipcmbeat keys new` makes one."},
		{Name: "privacy.key_file", Reload: true, Allowed: "a file that its owner alone can read", Meaning: "The key, in a file."},
		{Name: "privacy.passphrase", Reload: true, Secret: true, Allowed: "16 bytes and more; ${NAME} from the keystore or the environment", Meaning: "The key is made of this and of the salt by argon2id."},
		{Name: "privacy.salt_file", Reload: true, Allowed: "a file, within path.data unless it begins with /", Meaning: "The salt, made at the first start. Without it the passphrase opens nothing: keep a copy. Without -c replay takes it from its working directory."},
		{Name: "privacy.old_keys", Reload: true, Secret: true, Kind: List, Allowed: "keys as in privacy.key, file:NAME, none", Default: "none", Meaning: "Keys of before: they open, and mask nothing."},
	}},
	{"HEP output", "The SIP messages that are followed go to other programs too, such as HOMER; docs/quality.md tells more.", []Key{
		{Name: "hep_output.targets", Kind: List, Allowed: "host:port, none", Default: "none", Meaning: "Where to send them; each target gets all. None is no output."},
		{Name: "hep_output.transport", Allowed: "udp, tcp, tls", Meaning: "How. Over UDP a message of more than 1.4 KB travels in fragments, and what is lost nobody tells."},
		{Name: "hep_output.version", Kind: Whole, Allowed: "3, 2 (udp alone)", Meaning: "The version of HEP."},
		{Name: "hep_output.auth_key", Reload: true, Secret: true, Meaning: "The key that receivers ask for, in clear text; ${NAME} takes it from the keystore. Version 3 alone."},
		{Name: "hep_output.capture_id", Kind: Whole, Allowed: "0 to 4294967295, with version 2 to 65535", Meaning: "The number of this probe."},
		{Name: "hep_output.node", Default: "the name of the machine", Meaning: "The name of this probe. Version 3 alone."},
		{Name: "hep_output.methods", Reload: true, Kind: List, Allowed: "methods in capitals, none", Default: "none", Meaning: "Send these requests and the answers to them alone; none is all."},
		{Name: "hep_output.sources", Reload: true, Kind: List, Allowed: "addresses and networks, none", Default: "none", Meaning: "Send what comes from these addresses alone; none is all."},
		{Name: "hep_output.relay", Kind: Flag, Meaning: "Send on what came by HEP too, with the number, the name and the correlation id that it came with."},
		{Name: "hep_output.buffer", Kind: Bytes, Allowed: "256KiB to 1GiB", Meaning: "How much may wait for a target; when it is full, the newest is dropped and counted."},
		{Name: "hep_output.clear", Kind: Flag, Default: "none: refused while something is private", Meaning: "While something is private (privacy.addresses and the like): true sends messages as they are, false masked, without bodies."},
		{Name: "hep_output.tls.ca", Default: "those of the system", Meaning: "A file of the authorities that a receiver's certificate may come from."},
		{Name: "hep_output.tls.certificate", Meaning: "A file with the certificate that this program shows."},
		{Name: "hep_output.tls.key", Meaning: "A file with its key."},
		{Name: "hep_output.tls.verify", Allowed: "full, none", Meaning: "Whether a receiver's certificate is checked."},
	}},
	{"Files of single calls", "The messages of a Call-ID, whatever carried them, as a capture file of their own; docs/dump.md. Times are packet time.", []Key{
		{Name: "pcap_dump.dir", Default: "none, nothing is written", Meaning: "The directory for them, made when it is missing. Files of other names in it are left alone."},
		{Name: "pcap_dump.when", Kind: List, Allowed: "always, failed, alert, list, none", Meaning: "always: each Call-ID. failed: one that is in a call-attempt, auth-failed, other-failed, other-timeout, or in a call-end without an answered BYE. alert: one that a finding names. list: one that names somebody in pcap_dump.list."},
		{Name: "pcap_dump.list", Reload: true, Kind: List, Allowed: "users, user@host, telephone numbers, Call-IDs, none", Meaning: "Whose calls are written when list is in pcap_dump.when: the user in From, To or Request-URI; of numbers the digits are compared."},
		{Name: "pcap_dump.max_file", Kind: Bytes, Allowed: "64KiB to 4GiB", Meaning: "The longest file; later messages of the same call are left out and counted."},
		{Name: "pcap_dump.max_files", Kind: Whole, Allowed: "1 to 1048576", Meaning: "How many files are kept; the oldest are deleted."},
		{Name: "pcap_dump.max_total", Kind: Bytes, Allowed: "max_file and above", Meaning: "How much all of them may take; the oldest are deleted."},
		{Name: "pcap_dump.max_age", Kind: Duration, Allowed: "0 (no limit) to 87600h", Meaning: "Files that began longer ago are deleted, when messages come."},
		{Name: "pcap_dump.ring_size", Kind: Bytes, Allowed: "4MiB to 16GiB", Meaning: "Memory for the last messages, from which a file gets what came before its reason. Not used for always and list."},
		{Name: "pcap_dump.ring_age", Kind: Duration, Allowed: "1s to 24h", Meaning: "How far a file looks back at most."},
		{Name: "pcap_dump.linger", Kind: Duration, Allowed: "0 to 1h", Meaning: "How long after its last reason messages are still added to a file."},
		{Name: "pcap_dump.queue_size", Kind: Bytes, Allowed: "4MiB to 1GiB", Meaning: "Memory between the capture and the disk. When it is full, a live capture writes the newest message to no file and counts it, and the reader of a file waits."},
		{Name: "pcap_dump.clear", Kind: Flag, Default: "none: refused while something is private", Meaning: "While something is private (privacy.addresses and the like): true writes messages as they are, false masked, without bodies."},
	}},
	{"HTTP", "Pages for a person, JSON and Prometheus's form for programs; docs/http.md. The capture does not wait for it.", []Key{
		{Name: "http_addr", Allowed: "an address of this machine, localhost", Meaning: "Where the pages are; 0.0.0.0 is all of IPv4, :: everything. Anything but loopback needs http.auth.token, http.tls.certificate and http.tls.key, or is refused."},
		{Name: "http_port", Kind: Whole, Allowed: "1 to 65535, 0 (off)", Meaning: "The port. One that is set and taken is refused at the start; where the default is taken, a warning says so and there are no pages."},
		{Name: "http.auth.token", Reload: true, Secret: true, Default: "none, nobody is asked", Allowed: "16 letters, digits and signs or more, ${NAME} from the environment or the keystore", Meaning: "Who knows it may ask: Authorization: Bearer, or as the password of any user."},
		{Name: "http.tls.certificate", Meaning: "The file of the certificate, in PEM; with it the pages are at https. A reload reads a file that has changed."},
		{Name: "http.tls.key", Meaning: "The file of its private key, in PEM."},
		{Name: "http.names", Kind: List, Allowed: "host names, none", Meaning: "Names by which the pages are reached on loopback besides localhost, as behind a proxy. A request for another name is refused: a page from elsewhere could have been led here."},
		{Name: "http.max_connections", Kind: Whole, Allowed: "4 to 65536", Meaning: "Connections at a time; what is more is turned away."},
		{Name: "http.max_events", Kind: Whole, Allowed: "1 to 100000", Meaning: "How many of the last events are kept for /events, some 4 KiB each."},
		{Name: "http.profiler", Kind: Flag, Meaning: "Go's profiler at /debug/pprof."},
		{Name: "http.inject", Kind: Flag, Meaning: "Messages can be put into the engine by POST /inject, from this machine alone. For tests: whoever may can invent calls."},
		{Name: "http.ready_silence", Reload: true, Kind: Duration, Allowed: "0 (not asked) to 24h", Meaning: "/readyz says no when a live capture has seen no packet for so long."},
		{Name: "http.ready_stall", Reload: true, Kind: Duration, Allowed: "0 (not asked) to 24h", Meaning: "And when events wait and the output has taken none for so long."},
		{Name: "http.messages_mem", Kind: Bytes, Allowed: "1MiB to 16GiB, 0 (off)", Meaning: "Memory for the last messages, of which a call's ladder and its capture file are made. It is taken as messages come, and none while there are no pages."},
	}},
	{"Rates of events", "Of an event type and the address that it came from, so many a time leave; docs/rates.md tells more. replay limits nothing unless evr_limits or evr_intervals is set. Packet time.", []Key{
		{Name: "evr_limits", Reload: true, Kind: List, Allowed: limit.AllowedLimits, Meaning: "How many events of one type and source may be in each of evr_intervals. Beyond, the first leaves, and then some that say how many were held. None limits and measures nothing."},
		{Name: "evr_intervals", Reload: true, Kind: List, Allowed: limit.AllowedIntervals, Meaning: "The windows, which slide."},
		{Name: "evr_max_entries", Reload: true, Kind: Whole, Allowed: "16 to 16777216, 0 (the default)", Meaning: "Pairs of type and source in memory, 350 bytes each; the one that is least over its limit and longest idle gives way. A full table holds no event back."},
		{Name: "evr_conseq_report_min", Reload: true, Kind: Whole, Allowed: limit.AllowedReport, Meaning: "Of the events over a limit the first leaves, then the one with this number, twice this number, four times, and so on. A source of which so many were held is on the list of offenders."},
		{Name: "evr_conseq_report_max", Reload: true, Kind: Whole, Allowed: limit.AllowedReport, Meaning: "From this number on, every one whose number is a multiple of this leaves, instead of the doubling."},
		{Name: "evr_allow", Reload: true, Kind: List, Allowed: "addresses and networks, none", Default: "none", Meaning: "What comes from these is never held back for its rate or its source; event_types_blst counts all the same."},
		{Name: "evr_offender_expiry", Reload: true, Kind: Duration, Allowed: "1m to 87600h", Meaning: "How long a source stays on the list of offenders after the last of its events that its rate held back."},
	}},
	{"Indicators", "Answer-seizure ratio, delays and the like; docs/kpi.md has them and their formulas.", []Key{
		{Name: "kpi.records", Kind: Flag, Meaning: "The indicators of each window in which something happened leave as records: of everything, and of each peer. event.kind is metric, event.dataset sip.kpi."},
		{Name: "kpi.window", Kind: Duration, Allowed: "10s to 1h, of which a day is a multiple, such as 30s, 1m, 5m", Meaning: "How long a window is, aligned to the clock of packets."},
		{Name: "kpi.min_samples", Reload: true, Kind: Whole, Allowed: "1 to 1000000", Meaning: "A ratio or a mean of fewer has no value; its numerator and denominator are there all the same."},
		{Name: "kpi.ner_codes", Kind: List, Allowed: "up to 32 codes from 400 to 699, no-answer (408 or a timeout behind a 180 to 183), none", Meaning: "How an attempt may end that was not answered and still shows that the network did its part, in ner."},
		{Name: "kpi.ser_exclude", Kind: List, Allowed: "up to 32 codes from 300 to 699, 3xx, 4xx, 5xx, 6xx, none", Meaning: "How an attempt may end that ser and seer leave out."},
		{Name: "kpi.peers", Kind: Whole, Allowed: "0 to 32", Meaning: "How many source addresses are counted by themselves: the busiest that are no trunks. Each may take 400 kB."},
		{Name: "trunks", Reload: true, Kind: List, Allowed: "up to 64 of the form name=network, such as carrier=192.0.2.0/24, none", Default: "none", Meaning: "Peers with a name, counted by themselves at whichever end of a request they are. A name may have several networks; of networks that hold an address the narrowest counts."},
	}},
	{"Events", "", []Key{
		{Name: "auth_failed_codes", Reload: true, Kind: List, Allowed: "403 for every method or REGISTER/403 for one, none", Default: "none", Meaning: "Further answers that mean a failed authentication when the request had credentials."},
		{Name: "call_alive_interval", Reload: true, Kind: Duration, Allowed: "0 (off), 1m to 24h", Meaning: "A call that stays up is a call-alive event each time this has passed since its answer."},
		{Name: "correlation_headers", Reload: true, Kind: List, Allowed: "names of headers, 16 at most, none", Meaning: "Headers by which the legs of a call across a back-to-back user agent are told: they name the Call-ID of the leg before, or carry what all legs share. The first that a message has counts."},
		{Name: "messages.enabled", Kind: Flag, Meaning: "Each SIP message is a record too, under Packetbeat's names; docs/messages.md. A call is a dozen of them."},
		{Name: "headers", Kind: List, Allowed: "names of headers of letters, digits, - and _, 16 at most, none", Default: "none", Meaning: "Headers that stand in records as sip.header.NAME, the name in lower case: the first line of each in the first request of a call, registration or transaction, its first 256 bytes. docs/operating.md tells more."},
		{Name: "schema", Allowed: "native, legacy", Meaning: "The names of fields. legacy: those of the older program, for dashboards that exist; docs/upgrade.md has the table and what an index needs."},
		{Name: "keepalive_probes", Kind: Flag, Meaning: "Keep-alives (CRLF, NUL, STUN) are msg-probe events too. They are counted in any case."},
		{Name: "numbers.emergency", Reload: true, Kind: List, Allowed: "telephone numbers (a zero in front needs quotes), none", Meaning: "Calls to these are tagged emergency and never held back."},
		{Name: "numbers.country", Reload: true, Allowed: "ISO 3166-1, such as DE (\"NO\" needs quotes), none", Default: "none", Meaning: "The country in which numbers are dialled: sip.number.* tells of 030..., 0049... and +49... that they are one. Without it only numbers with + or 00 have these fields."},
		{Name: "internal_networks", Reload: true, Kind: List, Allowed: "addresses, networks such as 192.0.2.0/24, private (RFC 1918, RFC 4193, loopback and link-local), none", Default: "none", Meaning: "The networks within the perimeter: network.direction says whether a first request came in, went out, or stayed on one side."},
		{Name: "stats_interval", Reload: true, Kind: Duration, Allowed: "0 (off), 1s to 24h", Default: "5m with a live input, off over files", Meaning: "How often the counters of every stage leave as records (event.dataset sip.stats), and once more at the end; docs/metrics.md. Where it is set, over files too."},
		{Name: "stats_groups", Reload: true, Kind: List, Allowed: groupNames() + ", all, none", Meaning: "Whose counters: each group is a record of its own. At /metrics are all of them in any case."},
		{Name: "retention_days", Kind: Whole, Allowed: "1 to 36500, 0 (for ever)", Meaning: "How long Elasticsearch keeps records, in days: at least this, and at most a tenth more and a day. `sipcmbeat setup`, or the first connection, makes its ILM policy of it, and leaves one that is there as it is; docs/elasticsearch.md tells more."},
		{Name: "event_types_blst", Reload: true, Kind: List, Allowed: "event types, none", Meaning: "Types that are held back: counted, and not sent. replay holds none back unless this is set."},
		{Name: "event_buffer_size", Kind: Whole, Allowed: "16 to 16777216", Meaning: "Events that may wait between tracking and libbeat. When it is full, a live capture drops the newest and counts it, and the reader of a file, for which never more than 4096 wait, pauses. 4 KiB of memory an event are the limit too."},
		{Name: "shutdown_timeout", Reload: true, Kind: Duration, Allowed: "0 to 24h", Meaning: "How long a stop by a signal waits for the output to take what is left. A second signal ends at once."},
	}},
}

// Table is the keys of all groups.
var Table = func() (all []Key) {
	for _, g := range Groups {
		all = append(all, g.Keys...)
	}
	return all
}()

// maxDedup bounds dedup_window: the table it looks into is small.
const maxDedup = time.Minute

// maxShutdown bounds shutdown_timeout: nobody waits longer for a stop.
const maxShutdown = 24 * time.Hour

// DefaultText is the default of a key as the documents write it.
func (k Key) DefaultText() string {
	if k.Default != "" {
		return k.Default
	}
	c := Config{Keys: DefaultKeys()}
	return c.text(k.Name)
}

// text is the value of a key as a user would write it.
func (c *Config) text(key string) string {
	return textOf(reflect.ValueOf(c.Keys), key)
}

func textOf(v reflect.Value, key string) string {
	name, rest, below := strings.Cut(key, ".")
	v = byTag(v, name)
	switch {
	case !below:
		return valueText(v)
	case v.Kind() != reflect.Slice:
		return textOf(v, rest)
	}
	var items []string
	for i := range v.Len() {
		items = append(items, textOf(v.Index(i), rest))
	}
	return valueText(reflect.ValueOf(items))
}

func byTag(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("config"), ",")
		if tag == name {
			return v.Field(i)
		}
	}
	panic("config: no key " + name)
}

func valueText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		if x == "" {
			return `""`
		}
		return x
	case []string:
		if len(x) == 0 {
			return none
		}
		return "[" + strings.Join(x, ", ") + "]"
	case time.Duration:
		return limit.DurationText(x)
	case bool:
		return strconv.FormatBool(x)
	case *bool:
		if x == nil {
			return "default"
		}
		return strconv.FormatBool(*x)
	case []InputKeys:
		if len(x) == 0 {
			return none
		}
		return plural(len(x), "input")
	}
	return fmt.Sprint(v.Interface())
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
