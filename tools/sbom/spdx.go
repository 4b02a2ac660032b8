package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// What is written of SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string         `json:"SPDXID"`
		Name      string         `json:"name"`
		Version   string         `json:"versionInfo"`
		File      string         `json:"packageFileName,omitempty"`
		Download  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		Concluded string         `json:"licenseConcluded"`
		Declared  string         `json:"licenseDeclared"`
		Copyright string         `json:"copyrightText"`
		Purpose   string         `json:"primaryPackagePurpose"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Refs      []spdxRef      `json:"externalRefs"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const none = "NOASSERTION"

var notID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// document is the SPDX document of a program.
func document(binary, version string, parts []part) ([]byte, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(program)
	digest := hex.EncodeToString(sum[:])
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	const own = "SPDXRef-sipcmbeat"
	d := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "sipcmbeat-" + version,
		Namespace: "https://github.com/sipcmbeat/sipcmbeat/spdx/" + version + "-" + digest[:16],
		Creation: spdxCreation{
			Created:  time.Unix(seconds, 0).UTC().Format(time.RFC3339),
			Creators: []string{"Organization: The sipcmbeat authors", "Tool: sipcmbeat-sbom-" + version},
		},
		Packages: []spdxPackage{{
			ID: own, Name: "sipcmbeat", Version: version, File: filepath.Base(binary), Download: none,
			Concluded: "Apache-2.0", Declared: "Apache-2.0", Copyright: "Copyright the sipcmbeat authors", Purpose: "APPLICATION",
			Checksums: []spdxChecksum{{"SHA256", digest}},
			Refs:      []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/github.com/sipcmbeat/sipcmbeat@v" + version}},
		}},
		Relationships: []spdxRelationship{{"SPDXRef-DOCUMENT", "DESCRIBES", own}},
	}
	for _, p := range parts {
		id := "SPDXRef-" + notID.ReplaceAllString(p.Name, "-")
		d.Packages = append(d.Packages, spdxPackage{
			ID: id, Name: p.Name, Version: p.Version, Download: none, Concluded: p.Licence, Declared: p.Licence,
			Copyright: none, Purpose: "LIBRARY", Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", p.PURL}},
		})
		d.Relationships = append(d.Relationships, spdxRelationship{own, "STATIC_LINK", id})
	}
	b, err := json.MarshalIndent(d, "", "  ")
	return append(b, '\n'), err
}
