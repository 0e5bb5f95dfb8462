"""Live streams over WebSockets."""
