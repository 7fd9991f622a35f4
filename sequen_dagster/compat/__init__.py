"""Compat: what is held of the insides of other packages, a module for each.

A module says why it reaches inside, which release it was written for, and which test fails when a
later one has changed.
"""
