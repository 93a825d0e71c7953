"""Types of arguments, and what several commands take."""
import argparse


def count(text, least=1):
    """An argument that is a whole number of at least ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f'must be at least {least}, got {text}')
    return number


def count_from_zero(text):
    """``count`` from 0 on."""
    return count(text, 0)
