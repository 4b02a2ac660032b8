package api

import "github.com/sipcmbeat/sipcmbeat/internal/view"

// pages shows a person what the row of a path gave, by the path of the row. A path that
// is not here gives JSON to everybody.
var pages = map[string]func(c *call, answer any) error{}

// problemPage shows a person an error.
var problemPage func(c *call, p view.Problem)
