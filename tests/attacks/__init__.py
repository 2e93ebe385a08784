"""Attacks on the sandbox as data, and the ways in which the whole table is run against it.

An attack is candidate code; each has a control that shows it working outside a sandbox, on
stand-ins made for it. `python -m tests.attacks` prints the table as Markdown.
"""
