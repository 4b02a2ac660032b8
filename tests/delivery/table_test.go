package delivery

import "sync"

// results are the cells of a table of docs/delivery.md.
type results struct {
	mu    sync.Mutex
	cells map[[2]string]string
}

var (
	table     = results{cells: map[[2]string]string{}}
	special   = results{cells: map[[2]string]string{}}
	passwords = results{cells: map[[2]string]string{}}
)

func (r *results) note(row, column, cell string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cells[[2]string{row, column}] = cell
}
