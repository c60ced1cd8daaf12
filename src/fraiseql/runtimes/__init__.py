"""Runtimes wire sessions and the database to sockets, clocks and tasks; the only place of ours that does I/O."""
