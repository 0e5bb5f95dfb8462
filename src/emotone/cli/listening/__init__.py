"""Commands that recognise emotions, or adapt and serve the model that does."""
