// Package mocks holds mockery's doubles of what package intake calls, for error paths that no
// real part can produce; make generate writes them.
package mocks
