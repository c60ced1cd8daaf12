"""Wire protocols as pure state machines: bytes in, events and bytes out."""
