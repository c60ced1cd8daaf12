"""The sample blog: its rows, its database and its GraphQL schema."""
