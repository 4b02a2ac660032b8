// Package siptest writes what tests need: ladders that a SIP engineer can read,
// frames in every encapsulation, capture files. Only tests import it.
//
// It knows how messages look, not what they mean: expected events are written in
// the ladders, by hand. What it returns is the caller's own.
package siptest
