// Package catalogue writes the catalogue's page, scenarios/README.md: every scenario with its
// file, what it promises and the seeded bugs that it kills, and the ledger of the defects that
// scenarios found.
//
// The page is made, never edited: from the scenario files, from fixtures/mutants and from
// fixtures/ledger.yaml. A test compares it with what lies in the folder, so a scenario without
// a row, or a seeded bug that no scenario names, does not get through.
package catalogue
