package stream

import "testing"

// soundSCTP checks what must always be true of SCTP, and gives the memory of it.
func soundSCTP(t testing.TB, a *Assembler) (made int) {
	t.Helper()
	s := &a.sctp
	for p := s.unusedPiece; p != nil; p = p.next {
		made += pieceCost
	}
	for g := s.unusedGather; g != nil; g = g.next {
		made += gatherCost
	}
	held := 0
	for g := s.first; g != nil; g = g.next {
		made += gatherCost
		n, bytes := 0, 0
		for p := g.pieces; p != nil; p = p.next {
			made += pieceCost + len(p.buf)
			n, bytes = n+1, bytes+p.n
			if p.next != nil && !p.before(p.next) {
				t.Fatal("pieces out of order")
			}
		}
		if g.n != n || g.bytes != bytes || n == 0 || g.way.gather != g {
			t.Fatalf("%d pieces of %d bytes, counted %d of %d", n, bytes, g.n, g.bytes)
		}
		held += bytes
	}
	if held != s.held || len(s.byKey) > s.max {
		t.Fatalf("%d bytes held, counted %d; %d associations", held, s.held, len(s.byKey))
	}
	return made
}
