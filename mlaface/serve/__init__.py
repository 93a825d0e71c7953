"""Detect, embed, compare, enrol and identify over HTTP, and a page to do so in a browser."""
