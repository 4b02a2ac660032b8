package event

import "net/netip"

// Group is a kind of personal data that the configuration treats alike: privacy.<group>.
type Group uint8

// The groups. Public values name nobody.
const (
	Public     Group = iota
	Addresses        // IP addresses, wherever they stand
	URIs             // users, hosts and display names of SIP and tel URIs
	Numbers          // telephone numbers, also as the user of a URI
	CallIDs          // Call-IDs, session and correlation ids
	UserAgents       // User-Agent and Server
	Geo              // where an address is
	Errors           // texts that quote the wire: error.message, reason phrases, headers by name
	Tags             // From and To tags
	NumGroups
)

// GroupNames are the words of the configuration.
var GroupNames = [NumGroups]string{"", "addresses", "uris", "numbers", "call_ids", "user_agents", "geo", "errors", "tags"}

// String is the word of the configuration.
func (g Group) String() string { return GroupNames[g] }

// Shape is how a private value is made up, which says what of it may stay: of a URI the
// scheme, of a Via the transport. Equal values of one shape stay equal when masked, and
// differ from those of others.
type Shape uint8

// The shapes.
const (
	Plain    Shape = iota // a text, masked whole
	Address               // an IP address
	Host                  // a host name, or an address as text
	User                  // the user of a URI, or a user name
	Whole                 // a URI: scheme:user@host:port;parameters
	NameAddr              // a URI in a header: "name" <uri>;parameters (RFC 3261 §20.10)
	ViaValue              // a Via without its name (RFC 3261 §20.42)
	CallID                // a Call-ID
	Tag                   // a tag
	Agent                 // a User-Agent or Server
	Number                // a telephone number
	Digest                // a hash of private values: keyed, and never opened
	Scheme                // the scheme of a URI, which stays unless it is one that nobody knows
	Word                  // a word of the protocol, which stays unless it may name somebody
	NumShapes
)

// Masker makes values unreadable. Package privacy has the one that works; the zero of
// nothing is masked by leaving it out. Safe for concurrent use.
type Masker interface {
	// Addr masks an address; the zero Addr leaves it out.
	Addr(a netip.Addr) netip.Addr
	// Append appends the masked b, of a group and a shape, to dst; ok is false when the
	// value is to be left out. It borrows b until it returns.
	Append(dst []byte, g Group, s Shape, b []byte) (out []byte, ok bool)
	// Digest keys a hash of private values of these groups, when one of them is private.
	Digest(h Hash, of ...Group) Hash
	// Private tells whether a group is masked at all.
	Private(g Group) bool
}
