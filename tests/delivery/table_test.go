package delivery

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// document has the tables, each between two comments that name it.
const document = "../../docs/delivery.md"

// results is a table: what was found, by trouble and output.
type results struct {
	name, corner  string
	mu            sync.Mutex
	rows, columns []string
	cells         map[[2]string]string
}

var (
	everywhere = &results{name: "every output", corner: "trouble"}
	special    = &results{name: "Elasticsearch", corner: "trouble"}
	passwords  = &results{name: "TLS and passwords", corner: "what the output is given"}
)

func (r *results) note(row, column, cell string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells == nil {
		r.cells = map[[2]string]string{}
	}
	if !slices.Contains(r.rows, row) {
		r.rows = append(r.rows, row)
	}
	if !slices.Contains(r.columns, column) {
		r.columns = append(r.columns, column)
	}
	r.cells[[2]string{row, column}] = cell
}

func (r *results) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s |\n|---|%s\n", r.corner, strings.Join(r.columns, " | "), strings.Repeat("---|", len(r.columns)))
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, column := range r.columns {
			fmt.Fprintf(&b, " %s |", r.cells[[2]string{row, column}])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := stores.Main(m)
	all := true
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		all = all && flag.Lookup(name).Value.String() == ""
	}
	if code == 0 && all { // the tables are of all tests
		if err := compare(); err != nil {
			fmt.Println("FAIL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// compare holds the tables of the document to what was found.
func compare() error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	have := string(text)
	want := have
	for _, r := range []*results{everywhere, special, passwords} {
		begin, end := fmt.Sprintf("<!-- %s -->\n", r.name), fmt.Sprintf("<!-- end of %s -->", r.name)
		before, rest, ok := strings.Cut(want, begin)
		_, after, found := strings.Cut(rest, end)
		if !ok || !found {
			return fmt.Errorf("%s has no place for the table %q", document, r.name)
		}
		want = before + begin + "\n" + r.String() + "\n" + end + after
	}
	if have == want {
		return nil
	}
	if *update {
		return os.WriteFile(document, []byte(want), 0o644)
	}
	return fmt.Errorf("%s does not have what was found (go test ./tests/delivery -update):\n%s\n%s\n%s", document, everywhere, special, passwords)
}
