"""Figures of the papers, from tables of this workflow, with the published numbers beside."""
