package config

import "net/netip"

// privateNetworks are what the word private stands for in internal_networks: RFC 1918,
// RFC 4193, and what never leaves a link or a host.
var privateNetworks = []string{
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10", "127.0.0.0/8", "::1/128",
}

func internalNetworks(items []string) ([]netip.Prefix, error) {
	var all []string
	for _, item := range items {
		if item == "private" {
			all = append(all, privateNetworks...)
			continue
		}
		all = append(all, item)
	}
	return prefixes("internal_networks", all)
}
