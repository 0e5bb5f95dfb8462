"""The models that ship: their training, tests on other corpora, and cards."""
