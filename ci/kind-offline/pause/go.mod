// Nothing but the standard library.
module stormproof.local/kind-offline/pause

go 1.26.0
