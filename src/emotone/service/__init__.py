"""The service: the recognizer over HTTP and WebSocket, and a page that shows what it hears. Never torch."""
