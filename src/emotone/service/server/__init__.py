"""Running the application: uvicorn with time limits and orderly shutdown."""
