//go:build mage

// What libbeat's tooling expects of a beat. The Makefile is the front door.
package main

import (
	"os"
	"os/exec"
)

// Build makes the program.
func Build() error { return run("go", "build", "-o", "sipcmbeat", ".") }

// Update makes the generated files.
func Update() error { return run("go", "run", "./tools/update") }

// Fields makes the generated files too: fields.yml is one of them.
func Fields() error { return Update() }

// Config makes the generated files too: the configurations are among them.
func Config() error { return Update() }

// Test runs the tests of all packages.
func Test() error { return run("go", "test", "./...") }

func run(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}
