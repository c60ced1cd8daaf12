"""A certificate authority of the tests, and what it has issued."""

from __future__ import annotations

import ssl
from pathlib import Path

__all__ = ["Files"]


class Files:
    """A certificate authority, a certificate and its key, as files."""

    def __init__(self, folder: Path) -> None:
        import trustme  # here, so that the other tests do without
        from cryptography.hazmat.primitives import serialization

        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        issued = self.authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        self.folder = folder
        self.certificate, self.key, self.both = (str(folder / name) for name in ("cert.pem", "key.pem", "both.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(self.certificate, append=True)
        issued.private_key_pem.write_to_path(self.key)
        issued.private_key_and_cert_chain_pem.write_to_path(self.both)
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
        self.locked = str(folder / "locked.pem")
        Path(self.locked).write_bytes(locked)
        self.other = str(folder / "other.pem")
        self.authority.issue_cert("elsewhere").private_key_pem.write_to_path(self.other)

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context
