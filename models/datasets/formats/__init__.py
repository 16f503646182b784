"""The kinds of files that data sets come in, and what else can lie under their names. Knows no data set."""
