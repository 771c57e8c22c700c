"""The nouns: Dim, Type, Op, Node, Graph. Everything else is built from these."""
