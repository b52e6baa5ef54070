"""The spec language: YAML text to a typed tree with positions."""
