"""Python values that are written as text; nothing is run."""
import ast
import math

NUMBERS = dict(inf=math.inf, nan=math.nan)  # as Python writes them, and does not read them


def read_literal(text):
    """The value of an expression of literals and ``dict(...)``.

    Args:
        text (str): Such as ``dict(type='AdamW', betas=(0.9, 0.999))``.

    Returns:
        object: Strings, numbers, bools, None, and lists, tuples and dicts of them.

    Raises:
        SyntaxError: If the text is no expression.
        ValueError: If it is anything else, such as a name or a call.
    """
    return literal(ast.parse(text.strip(), mode='eval').body)


def literal(node):
    """The value of a syntax node that is a literal, where ``dict(a=1)`` counts as one; see ``read_literal``."""
    if isinstance(node, ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict' and _is_plain(node.args)):
            raise ValueError(f'line {node.lineno} calls a function')
        if any(keyword.arg is None for keyword in node.keywords):
            raise ValueError(f'line {node.lineno} unpacks a dict')
        named = {keyword.arg: literal(keyword.value) for keyword in node.keywords}
        return {**literal(node.args[0]), **named} if node.args else named
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} unpacks a dict')
        return {_key(key): literal(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.Name) and node.id in NUMBERS:
        return NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Name):
        return -literal(node.operand)
    if isinstance(node, (ast.List, ast.Tuple)):
        entries = [literal(entry) for entry in node.elts]
        return entries if isinstance(node, ast.List) else tuple(entries)
    return ast.literal_eval(node)


def _is_plain(arguments):
    """Whether ``dict`` gets no argument, or a dict as MMEngine writes one whose keys are no names, such as ``a.b``."""
    return not arguments or len(arguments) == 1 and isinstance(arguments[0], ast.Dict)


def _key(node):
    key = literal(node)
    try:
        hash(key)
    except TypeError as error:
        raise ValueError(f'line {node.lineno} has a key that cannot be one ({error})') from error
    return key
