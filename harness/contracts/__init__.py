"""Contracts of data sets and box rules: the checks that each of them passes, for authors of new ones.

The contract of decoders is :mod:`nmebench.decoders.contract`, because decoders import nothing from here.
"""
