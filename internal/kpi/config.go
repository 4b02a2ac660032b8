package kpi

// Config is what a Counter needs to know.
type Config struct{}

// DefaultConfig is right for most.
func DefaultConfig() Config { return Config{} }
