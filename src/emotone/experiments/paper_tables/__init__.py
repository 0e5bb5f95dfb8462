"""Tables 1 and 2 of Tripathi et al. (2019): rows, runs, record, comparison and report."""
