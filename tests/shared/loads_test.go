package shared

// loads are the generator's options that have to give exact events.
var loads = [][]string{
	{"--msgs", "100000"},
	{"--msgs", "20000", "--frag", "20"},
	{"--msgs", "20000", "--tcp"},
	{"--msgs", "20000", "--vxlan"},
}
