// Nothing but the standard library.
module stormproof.local/kind-offline/runtime

go 1.26.0
