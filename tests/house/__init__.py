"""The house's own tests: code, cards, documents and generated files keep to the rules and agree with each other."""
