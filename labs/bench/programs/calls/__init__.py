"""Programs that call the API, each with another client."""
