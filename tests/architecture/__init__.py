"""The house's own tests: code, manifests, documents and generated files keep to the rules and agree with each other."""
