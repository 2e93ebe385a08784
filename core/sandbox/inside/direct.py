"""A case that must run in the candidate's own process, because it reaches into it.

It patches a module, say, or makes a class out of the candidate's. Its asserts still are decided
where the candidate has no say: both sides of each are sent to the case's process, as data.
"""

from __future__ import annotations

import linecache
from types import ModuleType

from .asserts import CHECK, EXPLAIN, compile_case, explain
from .look import look, visible
from .peer import Peer

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any


def run(peer: Peer, module: ModuleType, source: str, name: str) -> None:
    """Execute `source`; raises what it raises."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    looked = look(source, ())
    used = {known for known in looked.names if known in module.__dict__}
    hidden = used - visible(used, looked) - looked.natives
    namespace: dict[str, Any] = {
        key: value for key, value in module.__dict__.items() if key not in hidden
    }

    def check(operator: str, values: tuple[Any, ...]) -> bool:
        return bool(peer.request("check", operator, values))

    namespace.update({EXPLAIN: explain, CHECK: check})
    exec(compile_case(source, name, checked=True), namespace)
