"""Many recordings: finding them, sharing them out among processes or machines, a journal. Without torch."""
