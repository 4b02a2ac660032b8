package event

import "strings"

// phrases are the reason phrases of status codes (IANA, Session Initiation Protocol
// Parameters) and the texts of ITU-T Q.850 causes that programs write: who uses them
// says nothing of anybody. Others may quote a name, a number, an address.
var phrases = func() map[string]bool {
	known := map[string]bool{}
	for _, p := range strings.Split(usualPhrases, "\n") {
		known[p] = true
	}
	return known
}()

// maxPhrase is as long as the longest of them, in bytes.
const maxPhrase = 48

// Usual tells whether a reason phrase, or the text of a Reason, is one that everybody
// uses, in any case. It stays when the group errors is masked.
func Usual(b []byte) bool {
	if len(b) == 0 || len(b) > maxPhrase {
		return false
	}
	var room [maxPhrase]byte
	return phrases[string(appendLower(room[:0], b))]
}

const usualPhrases = `trying
ringing
call is being forwarded
queued
session progress
early dialog terminated
ok
accepted
no notification
multiple choices
moved permanently
moved temporarily
use proxy
alternative service
bad request
unauthorized
payment required
forbidden
not found
method not allowed
not acceptable
proxy authentication required
request timeout
conflict
gone
length required
conditional request failed
request entity too large
request-uri too long
request uri too long
unsupported media type
unsupported uri scheme
unknown resource-priority
bad extension
extension required
session interval too small
interval too brief
bad location information
bad alert message
use identity header
provide referrer identity
flow failed
anonymity disallowed
bad identity-info
unsupported certificate
unsupported credential
invalid identity header
first hop lacks outbound support
max-breadth exceeded
bad info package
consent needed
temporarily unavailable
temporarily not available
call/transaction does not exist
call leg/transaction does not exist
call leg does not exist
loop detected
too many hops
address incomplete
ambiguous
busy here
request terminated
request cancelled
not acceptable here
bad event
request updated
request pending
undecipherable
security agreement required
internal server error
server internal error
not implemented
bad gateway
service unavailable
server time-out
server timeout
gateway timeout
version not supported
message too large
push notification service not supported
precondition failure
busy everywhere
decline
declined
does not exist anywhere
unwanted
rejected
unallocated number
unallocated (unassigned) number
unassigned number
no route to specified transit network
no route to destination
send special information tone
channel unacceptable
call awarded and being delivered
preemption
normal call clearing
normal clearing
user busy
no user responding
no answer from user
no answer from user (user alerted)
no answer
subscriber absent
call rejected
number changed
redirection to new destination
exchange routing error
non-selected user clearing
destination out of order
invalid number format
facility rejected
response to status enquiry
normal, unspecified
normal unspecified
no circuit/channel available
circuit/channel congestion
network out of order
temporary failure
switching equipment congestion
access information discarded
requested circuit/channel not available
precedence call blocked
resource unavailable, unspecified
quality of service not available
requested facility not subscribed
outgoing calls barred
incoming calls barred
bearer capability not authorized
bearer capability not presently available
service or option not available, unspecified
bearer capability not implemented
channel type not implemented
requested facility not implemented
invalid call reference value
identified channel does not exist
incompatible destination
invalid transit network selection
mandatory information element is missing
message type non-existent or not implemented
invalid information element contents
recovery on timer expiry
protocol error, unspecified
interworking, unspecified
interworking
call completed elsewhere
originator cancel
session timeout`
