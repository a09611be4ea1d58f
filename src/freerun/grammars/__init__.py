"""Context-free grammars: read from a file, checked, compiled; strings parsed into derivations."""
