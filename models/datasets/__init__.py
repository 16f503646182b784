"""The public data sets of deephar's papers, from the files as their owners publish them."""
