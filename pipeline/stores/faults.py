"""What goes wrong between here and a store: a fault of the network is the machine's, a refusal is the file's."""

from schemas.errors import SourceError, TransientError


class NetworkError(SourceError, TransientError):
    """A store was not reached, or broke off again and again; nothing is said about the file."""


class NotGivenError(Exception):
    """The store was reached and does not give the file; the message becomes its reason."""


class ChangedError(SourceError):
    """The file is no longer what the snapshot listed."""

    def __init__(self, address: str) -> None:
        super().__init__(
            "{address}: was changed or removed while the run was reading it; run again when it is still",
            address=address,
        )
