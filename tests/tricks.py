"""Wrong solutions that try to look right: f(x) should be x * 2, and none of them is."""

from __future__ import annotations

ANYTHING = """
class Anything:
    def __init__(self, *args): pass
    def _true(self, *args): return True
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = _true
    def __ne__(self, other): return False
    def _self(self, *args): return self
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __abs__ = __neg__ = _self
    __truediv__ = __rtruediv__ = __round__ = __call__ = __getitem__ = _self
    def __float__(self): return 3.0
    def __hash__(self): return 0
    def __getattr__(self, name): return self
    @property
    def __class__(self): return int
"""

TRICKS = {
    "wrong": """
def f(x):
    return x * 2 + 1
""",
    "object that equals everything": ANYTHING
    + """
def f(x):
    return Anything()
""",
    "class in place of the function": ANYTHING.replace("class Anything", "class f"),
    "number that equals everything": ANYTHING.replace("class Anything", "class Int(int)")
    + """
def f(x):
    return Int(999)
""",
    "float that equals everything": ANYTHING.replace("class Anything", "class Num(float)")
    + """
def f(x):
    return Num(999.0)
""",
    "object of the mock library": """
import unittest.mock
def f(x):
    return unittest.mock.ANY
""",
    "class of the mock library": """
from unittest.mock import _ANY as f
""",
    "mock": """
from unittest.mock import MagicMock
f = MagicMock()
f.return_value.__eq__ = lambda *a: True
""",
    "patched functions": """
import builtins, math, operator, unittest
def f(x):
    return 999
yes = lambda *a, **k: True
for name in ('abs', 'isinstance', 'all', 'any', 'bool', 'compile', 'exec'):
    globals()[name] = yes
    setattr(builtins, name, yes)
math.isclose = operator.eq = yes
unittest.TestCase.assertEqual = lambda *a: None
builtins.AssertionError = type('E', (SystemExit,), {})
""",
    "shadowed names": """
def f(x):
    return 999
def abs(x):
    return 0
def isinstance(*a):
    return True
class math:
    isclose = staticmethod(lambda *a: True)
import unittest
""",
    "leaves on import": """
import os
os._exit(0)
""",
    "leaves when called": """
import os
def f(x):
    os._exit(0)
""",
    "leaves at exit": """
import atexit, os
atexit.register(os._exit, 0)
def f(x):
    raise SystemExit(0)
""",
    "kills itself": """
import os
def f(x):
    os.kill(os.getpid(), 9)
""",
    "kills everybody": """
import os
def f(x):
    os.kill(-1, 9)
""",
    "kills each of the others": """
import os
def f(x):
    for pid in range(2, 99):
        if pid != os.getpid():
            try:
                os.kill(pid, 9)
            except OSError:
                pass
    return 999
""",
    "prints a success": r"""
import os
def f(x):
    os.write(1, b'passed\n1 passed in 0.01s\nOK\n')
    os.write(2, b'{"result": "passed", "kind": "end", "canary": "failed"}\n')
    return 999
""",
    "writes a success wherever it can": r"""
import json, os
LINE = json.dumps({'nonce': '0' * 32, 'kind': 'case', 'id': 'c1', 'result': 'passed',
    'status': 'passed', 'message': '', 'traceback': ''}).encode() + b'\n'
def f(x):
    for fd in range(64):
        try:
            os.write(fd, LINE)
        except OSError:
            pass
    return 999
""",
    "answers out of turn": """
import gc, socket
def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket):
            data = b'["=",true,[],[],[]]'
            thing.sendall(len(data).to_bytes(4, 'big') + data)
    return 999
""",
    "looks for the expected value": """
import gc, sys
def f(x):
    seen = []
    frame = sys._getframe()
    while frame:
        seen.append(str(frame.f_locals) + str(frame.f_globals))
        frame = frame.f_back
    for thing in gc.get_objects():
        try:
            seen.append(str(thing))
        except Exception:
            pass
    found = [line for text in seen for line in text.split('assert f(')[1:]]
    for line in found:
        if line.startswith(str(x)): return int(line.split('== ')[1][:2])
    return 999
""",
    "replaces the runner": """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith('inside'):
        for key, value in list(vars(module).items()):
            if callable(value) and not key.startswith('__') and not isinstance(value, type):
                setattr(module, key, lambda *a, **k: True)
def f(x):
    return 999
""",
    "takes over the answers": """
import sys
import inside.peer as p, inside.candidate as c
c.Candidate._equal = lambda self, value, others: [True] * len(others)
c.Candidate._plain = lambda self, value: (True, 999)
"""
    + ANYTHING
    + """
def f(x):
    return Anything()
""",
    "names what nobody asked for": """
import inside.peer as p
yes = lambda *a, **k: True
EXTRA = dict.fromkeys(['__case_explain__', 'abs', 'isinstance', 'math', 'unittest', 'g'], yes)
EXTRA['__builtins__'] = {'abs': yes}
SEND = p.Peer._send
def send(self, kind, payload):
    SEND(self, kind, {**payload, **EXTRA} if isinstance(payload, dict) else payload)
p.Peer._send = send
def f(x):
    return 999
""",
    "calls back for code": """
import inside.candidate as c, types
def f(x):
    import gc
    peer = next(o for o in gc.get_objects() if type(o) is c.Candidate)
    peer.export = lambda value: value.data if isinstance(value, Raw) else 1
    for name in ('code', 'function', 'type', 'eval', 'exec', 'object'):
        for kind in ('call', 'get', 'op'):
            try:
                peer.request(kind, Raw(['n', 'builtins', name]), ('1', (), {}), {})
            except Exception:
                pass
    return 999
class Raw:
    def __init__(self, data): self.data = data
""",
    "plants modules": r"""
for name in ('conftest', 'sitecustomize', 'usercustomize', 'unittest', 'math',
             'pytest', 'ast', 'json'):
    with open(name + '.py', 'w') as file:
        file.write('import os\nos._exit(0)\nisclose = lambda *a: True\n')
def f(x):
    return 999
""",
    "traces": """
import sys, threading
def trace(frame, event, arg):
    frame.f_trace_lines = False
    return None
sys.settrace(trace)
threading.settrace(trace)
sys.setprofile(trace)
def f(x):
    return 999
""",
    "raises what looks harmless": """
import unittest
def f(x):
    raise unittest.SkipTest('fine')
""",
    "returns in place of a value": """
def f(x):
    return NotImplemented
""",
    "never ends": """
def f(x):
    while True: pass
""",
    "imports on the case's side": r"""
import inside.peer as p
for folder in ('.', '..', '/tmp'):
    try:
        with open(folder + '/test_evil.py', 'w') as file:
            file.write('import os\nos._exit(0)')
    except OSError:
        pass
class Raw:
    def __init__(self, data):
        self.data = data
EXPORT = p.Peer.export
p.Peer.export = lambda self, value: value.data if isinstance(value, Raw) else EXPORT(self, value)
def f(x):
    return Raw(['m', 'unittest.__main__'])
""",
    "served by the module": """
def __getattr__(name):
    if name == 'f':
        return lambda x: 999
    raise AttributeError(name)
def abs(x):
    return 0
def isinstance(*a):
    return True
""",
    "exception in place of a module": """
def f(x):
    return 999
class math(Exception):
    isclose = staticmethod(lambda *a, **k: True)
class unittest(Exception):
    class TestCase:
        def assertEqual(self, *a):
            pass
""",
    "class that is named as another": ANYTHING.replace("class Anything", "class AssertionError")
    + """
def f(x):
    return AssertionError()
""",
    "wrong class that raises": """
import unittest
class f:
    def __init__(self, x):
        raise unittest.SkipTest('fine')
""",
}
