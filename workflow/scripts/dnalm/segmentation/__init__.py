"""Genomic elements per base: predicting, stitching and writing tracks, and scoring them."""
