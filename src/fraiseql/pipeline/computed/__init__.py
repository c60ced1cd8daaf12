"""Fields that Python computes: what their methods are given, when they are called, and what becomes of the values."""
