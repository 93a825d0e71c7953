"""Python values that are written as text; nothing is run."""
import ast


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
        if not (isinstance(node.func, ast.Name) and node.func.id == 'dict') or node.args:
            raise ValueError(f'line {node.lineno} calls a function')
        if any(keyword.arg is None for keyword in node.keywords):
            raise ValueError(f'line {node.lineno} unpacks a dict')
        return {keyword.arg: literal(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {literal(key): literal(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, (ast.List, ast.Tuple)):
        entries = [literal(entry) for entry in node.elts]
        return entries if isinstance(node, ast.List) else tuple(entries)
    return ast.literal_eval(node)
