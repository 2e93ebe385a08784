"""Model servers: which one is asked, how, and what happens when it fails."""

from core.endpoints.client import Client
from core.endpoints.compat import OllamaClient
from core.endpoints.figures import Figures, Point
from core.endpoints.values import (
    Attempt,
    Builtin,
    EndpointStatus,
    Message,
    QueueWatcher,
    Reply,
    Request,
    RoleStatus,
    Watcher,
)

__all__ = [
    "Attempt",
    "Builtin",
    "Client",
    "EndpointStatus",
    "Figures",
    "Message",
    "OllamaClient",
    "Point",
    "QueueWatcher",
    "Reply",
    "Request",
    "RoleStatus",
    "Watcher",
]
