"""What a row of an importer raises on a layer that is not what its format says it is."""

# A row reads operands and attributes as its format's specification gives them; where a file breaks
# the specification, unpacking, indexing or arithmetic fails. The message then names the layer.
MALFORMED = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
