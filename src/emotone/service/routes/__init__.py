"""The routes of the service: recognition, jobs, monitoring, examples."""
