"""What the statements of a stage take."""

from __future__ import annotations

from whet.emit.lowered import Access, Call, CodesEpilogue, Epilogue, In, Item, Nest, Statement

__all__ = ["has_function", "inputs_used"]


def has_function(statement: Statement) -> bool:
    """Whether a call takes an epilogue that computes something: it may need vector functions."""
    arguments = statement.arguments if isinstance(statement, Call) else ()
    return any(isinstance(a, Epilogue) and len(a.body.nodes) > 1 for a in arguments)


def inputs_used(statement: Statement, count: int) -> set[int]:
    """Which of a node's `count` inputs a statement reads."""
    if isinstance(statement, Nest):
        accesses: tuple[Access, ...] = (statement.write, *statement.reads)
        return {a.operand.index for a in accesses if isinstance(a.operand, In)}
    if isinstance(statement, Call):
        used = {a.index for a in statement.arguments if isinstance(a, In | Item)}
        for a in statement.arguments:
            if isinstance(a, Epilogue):
                used |= {e.operand.index for e in a.extras if isinstance(e.operand, In)}
            if isinstance(a, CodesEpilogue):
                used |= {p.index for p in a.operands if isinstance(p, In)}
        return used
    return set(range(count))
