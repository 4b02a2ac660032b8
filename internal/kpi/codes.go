package kpi

import "slices"

// slots are where the outcomes of attempts are counted: a timeout, an answer, each code
// that is registered or named in the configuration, and a rest for each class.
type slots struct {
	of   [700]uint8
	code [maxSlots]int // of a slot; of the rest of a class its first digit
	n    int

	noAnswer bool // ner counts it
	ner408   bool // it counts every 408 already

	redirected, ner, excluded, seer, isa, isaHomer, sd []uint8
}

const (
	noSlot uint8 = iota
	timeoutSlot
	answeredSlot
	restSlot  // of 3xx; those of 4xx to 6xx follow
	firstCode = restSlot + 4

	maxSlots = 160
)

// registered are the final codes of IANA's registry, without 2xx.
var registered = []int{
	300, 301, 302, 305, 380,
	400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429,
	430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494,
	500, 501, 502, 503, 504, 505, 513, 555, 580,
	600, 603, 604, 606, 607, 608,
}

// newSlots lays the slots out. cfg is valid.
func newSlots(cfg *Config) *slots {
	s := &slots{n: int(firstCode)}
	for class := range 4 {
		s.code[restSlot+uint8(class)] = class + 3
	}
	ner, noAnswer, _ := nerCodes(cfg.NERCodes)
	exclude, _ := serExclude(cfg.SERExclude)
	s.noAnswer = noAnswer
	for _, code := range slices.Concat(registered, ner, exclude) {
		if code >= 300 && s.of[code] == noSlot {
			s.of[code], s.code[s.n] = uint8(s.n), code
			s.n++
		}
	}
	for code := 200; code < 700; code++ {
		switch {
		case code < 300:
			s.of[code] = answeredSlot
		case s.of[code] == noSlot:
			s.of[code] = restSlot + uint8(code/100-3)
		}
	}
	s.redirected, s.excluded = s.find(3), s.find(exclude...)
	s.ner = s.find(ner...)
	s.ner408 = slices.Contains(s.ner, s.of[408])
	s.seer = slices.DeleteFunc(s.find(480, 486, 600, 603), func(slot uint8) bool { return slices.Contains(s.excluded, slot) })
	s.isa, s.isaHomer, s.sd = s.find(408, 500, 503, 504), s.find(408, 500, 503), s.find(500, 503, 504)
	return s
}

// find gives the slots of codes, each once; a number of one digit is a whole class.
func (s *slots) find(codes ...int) (found []uint8) {
	for slot := restSlot; int(slot) < s.n; slot++ {
		code := s.code[slot]
		class := code
		if class > 9 {
			class /= 100
		}
		if slices.Contains(codes, class) || code > 9 && slices.Contains(codes, code) {
			found = append(found, slot)
		}
	}
	return found
}
