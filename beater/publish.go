package beater

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/elastic-agent-libs/mapstr"
	"github.com/elastic/go-structform"

	"github.com/sipcmbeat/sipcmbeat/internal/enrich"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
)

// column is a row of event.Fields and its place in the tree of objects.
type column struct {
	field *event.Field
	names []string // the path
	root  int      // number of the object or value at the top
	node  int      // in nodes: the object that holds it; 0 is the record itself
}

// node is an object of the tree.
type node struct {
	parent int
	name   string
	size   int // of its map to begin with: half of what it may hold
}

// tree is a schema as objects.
type tree struct {
	columns []column
	nodes   []node
	roots   int
	of      [event.NumTypes][]uint16 // the columns that a type can have
	id      uint16                   // the column of event.id
}

// native are the names of this version.
var native = newTree(event.Native)

// newTree numbers the objects. The fields of a schema are sorted by path, so that the
// rows of one object stand together.
func newTree(schema *event.Schema) *tree {
	t := objects(schema)
	for i := range t.columns {
		f := t.columns[i].field
		for typ := range event.NumTypes {
			if f.In(typ) {
				t.of[typ] = append(t.of[typ], uint16(i))
			}
		}
		if f.Key == "event.id" {
			t.id = uint16(i)
		}
	}
	return t
}

func objects(schema *event.Schema) *tree {
	var columns []column
	roots := 0
	nodes := []node{{}}
	known := map[string]int{"": 0}
	for i := range schema.Fields {
		f := &schema.Fields[i]
		if f.Key == "@timestamp" { // stands in the beat.Event itself
			continue
		}
		c := column{field: f, names: strings.Split(f.Key, ".")}
		for j := range c.names[:len(c.names)-1] {
			path := strings.Join(c.names[:j+1], ".")
			n, ok := known[path]
			if !ok {
				n = len(nodes)
				known[path] = n
				nodes = append(nodes, node{parent: c.node, name: c.names[j]})
				nodes[c.node].size++
			}
			c.node = n
		}
		nodes[c.node].size++
		if len(columns) == 0 || columns[len(columns)-1].names[0] != c.names[0] {
			roots++
		}
		c.root = roots - 1
		columns = append(columns, c)
	}
	for i := range nodes {
		if nodes[i].size > 8 { // up to 8 cost the same
			nodes[i].size = nodes[i].size/2 + 1
		}
	}
	return &tree{columns: columns, nodes: nodes, roots: roots}
}

// renderer makes a beat.Event of an event.Event by the one table of fields, as
// event.Renderer does, so that both give the same record.
//
// What an event says is gathered first: its fifty texts become one string, because
// an allocation for each would cost more than all the rest. The objects at the top
// of the record are then either maps, as any processor or format string wants
// them, or branches, which write themselves when the output encodes them. A map for
// every object costs three times as much, so it is made only where somebody may
// look into it.
type renderer struct {
	maps bool
	tree *tree // nil: native

	v      event.Value
	buf    []byte
	values []value
	parts  []part
	nodes  []map[string]any // of the event in work
}

// value is what a field said.
type value struct {
	column uint16
	form   event.Form
	at     part  // in the texts; of a list, in parts
	number int64 // or the bits of a fraction
}

// part is a range, or in at a status code.
type part struct{ at, end uint32 }

// render owns nothing of e when it returns.
func (r *renderer) render(e *event.Event) beat.Event {
	if r.tree == nil {
		r.tree = native
	}
	r.gather(e)
	out := beat.Event{Timestamp: time.Unix(0, e.Time).UTC()}
	texts := string(r.buf)
	if r.maps {
		out.Fields = r.toMaps(texts)
	} else {
		out.Fields = r.toBranches(texts)
	}
	if e.ID != (event.Hash{}) {
		for i := range r.values {
			// Elasticsearch creates the document under it, and refuses it when it is
			// there already.
			if v := &r.values[i]; v.column == r.tree.id {
				out.Meta = mapstr.M{"_id": texts[v.at.at:v.at.end]}
			}
		}
	}
	return out
}

// gather reads all fields of e.
func (r *renderer) gather(e *event.Event) {
	r.buf, r.values, r.parts = r.buf[:0], r.values[:0], r.parts[:0]
	v := &r.v
	for _, i := range r.tree.of[e.Type] {
		r.tree.columns[i].field.Get(e, v)
		if v.Form == event.Nothing {
			continue
		}
		out := value{column: i, form: v.Form, number: v.Int, at: part{at: uint32(len(r.buf))}}
		switch v.Form {
		case event.Nothing, event.Int, event.Bool:
		case event.Float:
			out.number = int64(math.Float64bits(v.Float))
		case event.Str:
			r.buf = appendUTF8(r.buf, v.Bytes)
		case event.Const, event.Quoted:
			r.buf = append(r.buf, v.Text...)
		case event.Date:
			r.buf = event.AppendTime(r.buf, v.Int)
		case event.Addr:
			r.buf = v.Addr.AppendTo(r.buf)
		case event.IDHash:
			r.buf = hex.AppendEncode(r.buf, v.Hash[:])
		case event.Codes, event.Strs, event.Consts, event.Addrs, event.Words, event.DistinctTo:
			out.at = r.list(v)
			r.values = append(r.values, out)
			continue
		}
		out.at.end = uint32(len(r.buf))
		r.values = append(r.values, out)
	}
}

// list gathers the parts of a value that has several.
func (r *renderer) list(v *event.Value) part {
	lo := uint32(len(r.parts))
	for n, ok := v.NextInt(); ok; n, ok = v.NextInt() {
		r.parts = append(r.parts, part{at: uint32(n)})
	}
	for b, ok := v.Next(); ok; b, ok = v.Next() {
		at := uint32(len(r.buf))
		r.buf = appendUTF8(r.buf, b)
		r.parts = append(r.parts, part{at, uint32(len(r.buf))})
	}
	return part{lo, uint32(len(r.parts))}
}

// appendUTF8 copies b; what is no UTF-8 becomes U+FFFD, as in event.AppendString.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}

// toMaps makes a map of every object.
func (r *renderer) toMaps(texts string) mapstr.M {
	if r.nodes == nil {
		r.nodes = make([]map[string]any, len(r.tree.nodes))
	}
	clear(r.nodes)
	root := r.node(0)
	for i := range r.values {
		v := &r.values[i]
		c := &r.tree.columns[v.column]
		r.node(c.node)[c.names[len(c.names)-1]] = v.boxed(texts, r.parts)
	}
	return root
}

// node gives a map of the event in work, and makes it when it is first asked for.
func (r *renderer) node(i int) map[string]any {
	if r.nodes[i] == nil {
		n := &r.tree.nodes[i]
		r.nodes[i] = make(map[string]any, n.size)
		if i > 0 {
			r.node(n.parent)[n.name] = r.nodes[i]
		}
	}
	return r.nodes[i]
}

// boxed is the value as libbeat takes it. Dates are texts of nine digits: libbeat
// would cut them to its timestamp.precision.
func (v *value) boxed(texts string, parts []part) any {
	switch v.form {
	case event.Int:
		return v.number
	case event.Float:
		return math.Float64frombits(uint64(v.number))
	case event.Bool:
		return v.number != 0
	case event.Codes:
		list := make([]int64, 0, v.at.end-v.at.at)
		for _, p := range parts[v.at.at:v.at.end] {
			list = append(list, int64(p.at))
		}
		return list
	case event.Strs, event.Consts, event.Addrs, event.Words, event.DistinctTo:
		list := make([]string, 0, v.at.end-v.at.at)
		for _, p := range parts[v.at.at:v.at.end] {
			list = append(list, texts[p.at:p.end])
		}
		return list
	case event.Nothing, event.Str, event.Const, event.Quoted, event.Date, event.Addr, event.IDHash:
	}
	return texts[v.at.at:v.at.end]
}

// branch is an object at the top of a record that is still as it was gathered. It
// owns its values with the other branches of the record.
type branch struct {
	columns []column
	texts   string
	values  []value
	parts   []part
}

// toBranches makes a branch of every object at the top. libbeat adds to the
// objects ecs and observer, so these are maps.
func (r *renderer) toBranches(texts string) mapstr.M {
	columns, roots := r.tree.columns, r.tree.roots
	root := make(mapstr.M, roots+extraRoots)
	values, parts := slices.Clone(r.values), slices.Clone(r.parts)
	all := make([]branch, 0, roots)
	for lo := 0; lo < len(values); {
		c := &columns[values[lo].column]
		hi := lo + 1
		for hi < len(values) && columns[values[hi].column].root == c.root {
			hi++
		}
		switch name := c.names[0]; {
		case len(c.names) == 1:
			root[name] = values[lo].boxed(texts, parts)
		case name == "ecs" || name == "observer":
			for i := lo; i < hi; i++ {
				_, _ = root.Put(columns[values[i].column].field.Key, values[i].boxed(texts, parts))
			}
		default:
			all = append(all, branch{columns, texts, values[lo:hi], parts})
			root[name] = &all[len(all)-1]
		}
		lo = hi
	}
	return root
}

// extraRoots is what libbeat adds at the top: agent and host.
const extraRoots = 2

// Fold writes the branch; the encoders of libbeat call it (gotype.Folder).
func (b *branch) Fold(to structform.ExtVisitor) error {
	if err := to.OnObjectStart(-1, structform.AnyType); err != nil {
		return err
	}
	open := b.columns[b.values[0].column].names[:1] // objects that are open
	for i := range b.values {
		names := b.columns[b.values[i].column].names
		shared := 1
		for shared < len(open) && shared < len(names)-1 && names[shared] == open[shared] {
			shared++
		}
		for n := len(open); n > shared; n-- {
			if err := to.OnObjectFinished(); err != nil {
				return err
			}
		}
		last := len(names) - 1
		for _, name := range names[shared:last] {
			if err := to.OnKey(name); err != nil {
				return err
			}
			if err := to.OnObjectStart(-1, structform.AnyType); err != nil {
				return err
			}
		}
		open = names[:last]
		if err := to.OnKey(names[last]); err != nil {
			return err
		}
		if err := b.foldValue(to, &b.values[i]); err != nil {
			return err
		}
	}
	for range open {
		if err := to.OnObjectFinished(); err != nil {
			return err
		}
	}
	return nil
}

func (b *branch) foldValue(to structform.ExtVisitor, v *value) error {
	switch v.form {
	case event.Int:
		return to.OnInt64(v.number)
	case event.Float:
		return to.OnFloat64(math.Float64frombits(uint64(v.number)))
	case event.Bool:
		return to.OnBool(v.number != 0)
	case event.Codes, event.Strs, event.Consts, event.Addrs, event.Words, event.DistinctTo:
		return b.foldList(to, v)
	case event.Nothing, event.Str, event.Const, event.Quoted, event.Date, event.Addr, event.IDHash:
	}
	return to.OnString(b.texts[v.at.at:v.at.end])
}

func (b *branch) foldList(to structform.ExtVisitor, v *value) error {
	list := b.parts[v.at.at:v.at.end]
	if err := to.OnArrayStart(len(list), structform.AnyType); err != nil {
		return err
	}
	for _, p := range list {
		var err error
		if v.form == event.Codes {
			err = to.OnInt64(int64(p.at))
		} else {
			err = to.OnString(b.texts[p.at:p.end])
		}
		if err != nil {
			return err
		}
	}
	return to.OnArrayFinished()
}

// publisher takes events off the ring, masks what is private, and hands them to libbeat,
// in order: one goroutine, so that event.sequence rises in the output too.
type publisher struct {
	ring    *ring
	client  beat.Client
	numbers *enrich.Numbers
	maps    bool
	tree    *tree
	sealer  *atomic.Pointer[privacy.Sealer] // nil within: nothing is private
	done    chan struct{}
}

// batchSize is how many events are rendered before libbeat's lock is taken.
const batchSize = 64

func (p *publisher) run() {
	defer close(p.done)
	r := renderer{maps: p.maps, tree: p.tree}
	batch := make([]*event.Event, 0, batchSize)
	out := make([]beat.Event, 0, batchSize)
	var masked event.Event
	for {
		batch = p.ring.take(batch)
		if len(batch) == 0 {
			return
		}
		out = out[:0]
		for _, e := range batch {
			p.numbers.Add(e)
			if s := p.sealer.Load(); s != nil {
				e.Mask(s, &masked)
				e = &masked
			}
			out = append(out, r.render(e))
		}
		p.client.PublishAll(out)
		clear(out) // libbeat has its own references
	}
}
