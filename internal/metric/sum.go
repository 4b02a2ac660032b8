package metric

import (
	"fmt"
	"strings"
)

// Sum is an equation between families that holds at any moment, or when nothing is under
// way. Left and Right are terms with " + " between them: a name is the sum of its family,
// a name with {value} one sample.
type Sum struct {
	Left, Right string
	Meaning     string
	AtRest      bool // while packets come, the two sides are read one after the other
}

// Values are samples by their terms, and the sums of families.
type Values map[string]float64

// Add takes a sample; it is an Adder.
func (v Values) Add(d *Desc, value string, n float64) {
	v[d.Name] += n
	if d.Label != "" {
		v[Term(d, value)] += n
	}
}

// Term is how a sample stands in a Sum.
func Term(d *Desc, value string) string {
	if d.Label == "" {
		return d.Name
	}
	return d.Name + "{" + value + "}"
}

// Check reports the first equation that does not hold, or a term that does not exist.
// Faults are packets that the program failed on, which may be missing on the left.
func (v Values) Check(sums []Sum, faults float64) error {
	for _, s := range sums {
		left, err := v.sum(s.Left)
		if err != nil {
			return err
		}
		right, err := v.sum(s.Right)
		if err != nil {
			return err
		}
		if left != right && (left > right || left+faults < right) {
			return fmt.Errorf("counters disagree: %s = %s: %.0f, not %.0f", s.Right, s.Left, left, right)
		}
	}
	return nil
}

func (v Values) sum(terms string) (sum float64, err error) {
	for _, term := range strings.Split(terms, " + ") {
		n, ok := v[term]
		if !ok {
			return 0, fmt.Errorf("no counter is %s", term)
		}
		sum += n
	}
	return sum, nil
}
