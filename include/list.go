// Package include registers with libbeat what a program that consists of it must
// register: the fields of the index template. Outputs, processors and queues are
// those that libbeat itself includes.
package include
