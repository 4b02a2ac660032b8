// Command sipcmbeat observes SIP traffic, from an interface or from capture
// files, and ships what happened as ECS events through libbeat.
package main

import (
	"os"

	"github.com/sipcmbeat/sipcmbeat/cmd"
)

func main() { os.Exit(cmd.Execute()) }
