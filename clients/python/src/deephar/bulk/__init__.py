"""Bulk work: poses and actions of thousands of files, with one result file for each, on one machine or on many."""
