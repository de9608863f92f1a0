"""The errors that an operator can cause and mend: reported as one sentence, without a stack trace."""

from api.identity.tokens import NoSigningKey, UnusableKey
from cluster.errors import NatsUnavailable, NodeNotDrained, NodeRefused, NodesNotFound
from cluster.nats_server import NatsServerFailed
from engine.catalogue_errors import MessageDelivered
from engine.errors import NotFound, Unavailable
from frontrow.backup import BackupRefused
from frontrow.database import PoolerNotSupported
from frontrow.listening import AddressUnusable
from frontrow.permissions import denied
from frontrow.settings import SettingsError
from frontrow.supervision import WorkersFailed
from persistence.data_directory import DataDirectoryInUse
from persistence.dump import DumpFailed
from persistence.embedded import EmbeddedPostgresFailed
from persistence.migrations import MigrationFailed
from persistence.server_lock import DatabaseInUse, TakenOver

_EXPECTED = (
    SettingsError,
    UnusableKey,
    NoSigningKey,
    AddressUnusable,
    BackupRefused,
    DumpFailed,
    DataDirectoryInUse,
    EmbeddedPostgresFailed,
    NatsServerFailed,
    NatsUnavailable,
    NodeNotDrained,
    NodeRefused,
    NodesNotFound,
    MessageDelivered,
    MigrationFailed,
    NotFound,
    PoolerNotSupported,
    DatabaseInUse,
    TakenOver,
    Unavailable,
    WorkersFailed,
    ValueError,
)


def sentence_for(error: BaseException) -> str | None:
    """Return the message for the operator, or None if the error is a bug of the program."""
    if isinstance(error, PermissionError):
        return denied(error.filename)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename else reason
    return str(error) if isinstance(error, _EXPECTED) else None
