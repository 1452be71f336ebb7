"""Architecture tests: code, manifests, documents and generated files follow the rules and agree with each other."""
