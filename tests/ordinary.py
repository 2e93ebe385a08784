"""An ordinary solution, and ordinary cases of it.

Whatever a case does, it must find what it would find in one process with the solution.
"""

from __future__ import annotations

SOLUTION = r"""
import abc, enum, functools, collections, dataclasses, datetime, decimal, math, random, sys, time
from collections import namedtuple, Counter, defaultdict, OrderedDict, deque
from typing import NamedTuple
@dataclasses.dataclass
class P:
    x: int
    y: int = 2
@dataclasses.dataclass(order=True, frozen=True)
class Q:
    a: int
class V:
    def __init__(s,x,y): s.x, s.y = x, y
    def __add__(s,o): return V(s.x+o.x, s.y+o.y)
    def __mul__(s,k): return V(s.x*k, s.y*k)
    __rmul__ = __mul__
    def __eq__(s,o): return isinstance(o,V) and (s.x,s.y)==(o.x,o.y)
    def __repr__(s): return f"V({s.x}, {s.y})"
    def __iter__(s): return iter((s.x,s.y))
    def __len__(s): return 2
    def __getitem__(s,i): return (s.x,s.y)[i]
    def __bool__(s): return bool(s.x or s.y)
class Money:
    def __init__(s,v): s.v=v
    def __eq__(s,o): return s.v == (o.v if isinstance(o,Money) else o)
    def __hash__(s): return hash(s.v)
    def __lt__(s,o): return s.v < (o.v if isinstance(o,Money) else o)
    def __add__(s,o): return Money(s.v + (o.v if isinstance(o,Money) else o))
    __radd__=__add__
class Tree:
    def __init__(s): s.n=set()
    def insert(s,v): s.n.add(v)
    def __contains__(s,v): return v in s.n
class Node:
    def __init__(s,v,next=None): s.v=v; s.next=next
class Color(enum.Enum):
    RED=1
    BLUE=2
class Lvl(enum.IntEnum):
    LOW=1
    HIGH=2
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Sq(Shape):
    sides = 4
    def __init__(s,a): s._a=a
    def area(s): return s._a**2
    @property
    def a(s): return s._a
    @a.setter
    def a(s,v):
        if v<0: raise ValueError("negative")
        s._a=v
    @classmethod
    def unit(cls): return cls(1)
    @staticmethod
    def name(): return "sq"
class BankError(Exception):
    def __init__(s, need, have):
        super().__init__(f"need {need}, have {have}"); s.need=need; s.have=have
def withdraw(n,h):
    if n>h: raise BankError(n,h)
    return h-n
Pt = namedtuple("Pt","x y")
class Pt2(NamedTuple):
    x: int
    y: int
def mkpt(): return Pt(1,2)
def mkpt2(): return Pt2(1,2)
def cnt(s): return Counter(s)
def dd(s):
    d=defaultdict(list)
    for c in s: d[c].append(1)
    return d
def gen(n):
    for i in range(n): yield i
def acc():
    t=0
    while True:
        x = yield t
        if x is None: x=0
        t+=x
@functools.lru_cache(None)
def fib(n): return n if n<2 else fib(n-1)+fib(n-2)
def apply(f,*a,**k): return f(*a,**k)
def sort_by(l,key): return sorted(l,key=key)
def comp(*fs):
    def inner(x):
        for f in fs: x=f(x)
        return x
    return inner
def counter():
    n=0
    def inc():
        nonlocal n; n+=1; return n
    return inc
def deco(f):
    @functools.wraps(f)
    def w(*a,**k):
        w.calls+=1
        return f(*a,**k)
    w.calls=0
    return w
class Timer:
    def __enter__(s): s.on=True; return s
    def __exit__(s,*e): s.on=False; s.err=e[0]; return e[0] is KeyError
class Inv:
    def __init__(s): s.items={}
    def add(s,k,n): s.items[k]=s.items.get(k,0)+n
    def all(s): return list(s.items.items())
def hello(): print("Hello, World!")
def ask():
    n=input("name? "); print("Hi "+n)
def rd(f): return [l.strip() for l in f]
def wr(f): f.write("x,y\n")
def wfile(p):
    with open(p,"w") as f: f.write("data")
def when(): return datetime.datetime(2020,1,2,3,4,tzinfo=datetime.timezone.utc)
def dec(): return decimal.Decimal("1.10")
def roll(): return random.randint(1,10**9)
class MyList(list):
    def total(s): return sum(s)
class Stack(list):
    def push(s,x): s.append(x)
def nest(): return {"a":[1,{"b":(1,2)}], 3: {1,2}}
def big(n): return list(range(n))
def ident(x): return x
def add_all(d): d["new"]=[1]; d["l"].append(5)
def first_class(): return Sq
def gcd_all(*a): return functools.reduce(math.gcd, a)
class Singleton:
    _i=None
    def __new__(cls):
        if cls._i is None: cls._i=object.__new__(cls)
        return cls._i
def rec(n): return rec(n+1)
def abs_diff(a,b): return abs(a-b)
def visit(tree, fn):
    for k in tree: fn(k)
class Obs:
    def __init__(s): s.subs=[]
    def sub(s,f): s.subs.append(f)
    def fire(s,x):
        for f in s.subs: f(x)
def retry(f, n):
    for i in range(n):
        try: return f()
        except ValueError: pass
    raise RuntimeError("gave up")
class Matrix:
    def __init__(s, rows): s.rows=rows
    def __matmul__(s,o):
        return Matrix([[sum(a*b for a,b in zip(r,c)) for c in zip(*o.rows)] for r in s.rows])
    def __eq__(s,o): return s.rows == (o.rows if isinstance(o,Matrix) else o)
def make_money(v): return Money(v)
def freq(t): return {w: t.split().count(w) for w in t.split()}
"""

CASES = (
    r"""assert P(1) == P(1, 2) and P(1) != P(2) and P(3).y == 2""",
    r'''assert repr(P(1)) == "P(x=1, y=2)" and str(P(1)) == "P(x=1, y=2)"''',
    r"""assert Q(1) < Q(2) and sorted([Q(3), Q(1)])[0] == Q(1) and Q(1) in {Q(1)}""",
    r"""assert V(1,2) + V(3,4) == V(4,6) and V(1,2)*3 == V(3,6) and 2*V(1,1) == V(2,2)""",
    r"""assert list(V(1,2)) == [1,2] and len(V(1,2)) == 2 and V(5,6)[1] == 6 and not V(0,0)""",
    r"""x, y = V(7,8)
assert (x,y) == (7,8)""",
    r"""assert Money(5) == 5
assert Money(5) < 6
assert Money(5)+5 == 10
assert sum([Money(1),Money(2)]) == Money(3)""",
    r"""assert make_money(5) == Money(5) and max([Money(1),Money(9)]).v == 9""",
    r"""t=Tree()
t.insert(4)
assert 4 in t and 5 not in t""",
    r"""n=Node(1,Node(2))
assert n.next.v==2 and n.next.next is None
n.next.next=Node(3)
assert n.next.next.v==3""",
    r"""a=Node(1)
b=Node(2,a)
assert b.next is a""",
    r"""assert Color.RED.value==1
assert Color.RED is Color.RED
assert Color(2) is Color.BLUE
assert Color["RED"].name=="RED"
assert len(Color)==2""",
    r"""assert [c.name for c in Color]==["RED","BLUE"]
assert Color.RED in list(Color)
assert Color.RED != Color.BLUE""",
    r"""assert Lvl.HIGH == 2 and Lvl.HIGH > Lvl.LOW and isinstance(Lvl.LOW, int)""",
    r"""import pytest
with pytest.raises(TypeError):
    Shape()""",
    r"""assert Sq(3).area()==9
assert isinstance(Sq(1),Shape)
assert issubclass(Sq,Shape)
assert Sq.unit().a==1
assert Sq.name()=="sq"
assert Sq.sides==4""",
    r"""s=Sq(1)
s.a=5
assert s.area()==25
import pytest
with pytest.raises(ValueError, match="neg"):
    s.a=-1""",
    r'''import pytest
with pytest.raises(BankError) as e:
    withdraw(5,3)
assert e.value.need==5 and str(e.value)=="need 5, have 3"''',
    r"""try:
    withdraw(5,3)
    assert False
except BankError as e:
    assert e.have==3""",
    r'''assert issubclass(BankError, Exception) and str(BankError(1,2)) == "need 1, have 2"''',
    r"""assert mkpt()==(1,2)
assert mkpt().x==1
assert mkpt()==Pt(1,2)
assert isinstance(mkpt(),Pt)
assert mkpt2()==Pt2(1,2)
assert Pt2(3,4)._asdict()=={"x":3,"y":4}""",
    r"""assert cnt("aab")==Counter("aab")
assert cnt("aab")["a"]==2
assert cnt("x").most_common(1)==[("x",1)]""",
    r"""assert dd("ab")=={"a":[1],"b":[1]} and isinstance(dd("a"),dict)""",
    r"""assert list(gen(3))==[0,1,2] and next(gen(2))==0 and sum(gen(4))==6""",
    r"""import types
assert isinstance(gen(1), types.GeneratorType)""",
    r"""g=gen(1)
next(g)
import pytest
with pytest.raises(StopIteration):
    next(g)""",
    r"""g=acc()
next(g)
g.send(5)
assert g.send(6)==11""",
    r'''assert fib(30)==832040 and fib.cache_info().misses>0 and fib.__name__=="fib"''',
    r'''assert apply(lambda x,k=1: x+k, 2, k=5)==7 and apply(max,[1,3])==3 and apply(str,5)=="5"''',
    r"""assert sort_by(["bb","a"], key=len)==["a","bb"]
assert sort_by([3,1,2], lambda v:-v)==[3,2,1]""",
    r'''assert comp(lambda x:x+1, str)(2)=="3"''',
    r"""c=counter()
assert (c(),c(),c())==(1,2,3)
d=counter()
assert d()==1""",
    r"""@deco
def f(x):
    return x+1
assert f(1)==2 and f(2)==3 and f.calls==2""",
    r"""with Timer() as t:
    assert t.on
assert not t.on""",
    r"""with Timer() as t:
    raise KeyError(1)
assert t.err is KeyError""",
    r"""i=Inv()
i.add("a",2)
i.items["b"]=7
assert i.all()==[("a",2),("b",7)]
i.items.clear()
assert i.all()==[]""",
    r'''import io, contextlib
b=io.StringIO()
with contextlib.redirect_stdout(b):
    hello()
assert b.getvalue().strip()=="Hello, World!"''',
    r"""import io, sys
old=sys.stdout
sys.stdout=b=io.StringIO()
try:
    hello()
finally:
    sys.stdout=old
assert "World" in b.getvalue()""",
    r'''from unittest.mock import patch
import io
with patch("builtins.input", return_value="Bo"), patch("sys.stdout", new_callable=io.StringIO) as o:
    ask()
assert o.getvalue()=="Hi Bo\n"''',
    r"""from unittest.mock import patch
with patch("builtins.print") as p:
    hello()
p.assert_called_once_with("Hello, World!")""",
    r'''import io, sys
sys.stdin=io.StringIO("Al\n")
b=io.StringIO()
import contextlib
with contextlib.redirect_stdout(b):
    ask()
assert b.getvalue()=="name? Hi Al\n"''',
    r"""import io
assert rd(io.StringIO("a\nb\n"))==["a","b"]""",
    r'''import io
b=io.StringIO()
wr(b)
assert b.getvalue()=="x,y\n"''',
    r'''wfile("o.txt")
assert open("o.txt").read()=="data"''',
    r"""import tempfile, os
with tempfile.TemporaryDirectory() as d:
    p=os.path.join(d,"q")
    wfile(p)
    assert os.path.exists(p)""",
    r"""import datetime
assert when()==datetime.datetime(2020,1,2,3,4,tzinfo=datetime.timezone.utc)
assert when().year==2020""",
    r"""from decimal import Decimal
assert dec()==Decimal("1.10") and dec()+1==Decimal("2.10")""",
    r"""import random
random.seed(1)
a=roll()
random.seed(1)
assert roll()==a""",
    r"""m=MyList([1,2])
assert m.total()==3 and m==[1,2] and len(m)==2 and isinstance(m,list)
m.append(4)
assert m[-1]==4""",
    r"""s=Stack()
s.push(1)
assert s==[1] and s.pop()==1 and not s""",
    r"""assert nest()=={"a":[1,{"b":(1,2)}],3:{1,2}}""",
    r"""assert len(big(100000))==100000 and big(3)[::-1]==[2,1,0]""",
    r"""l=[1]
assert ident(l) is l
assert ident(None) is None
assert ident(1.5)==1.5
assert ident("é\\ud800")=="é\\ud800"
assert ident(10**5000)==10**5000""",
    r"""d={"l":[]}
add_all(d)
assert d=={"l":[5],"new":[1]}""",
    r"""assert first_class()(2).area()==4 and first_class() is Sq""",
    r"""assert gcd_all(12,18)==6 and math.floor(2.5)==2""",
    r"""assert Singleton() is Singleton()""",
    r"""import pytest
with pytest.raises(RecursionError):
    rec(0)""",
    r"""assert abs(abs_diff(1.5,1)-0.5)<1e-9""",
    r"""seen=[]
visit([1,2],seen.append)
assert seen==[1,2]""",
    r"""o=Obs()
got=[]
o.sub(lambda x: got.append(x*2))
o.fire(4)
assert got==[8]""",
    r"""n=[0]
def flaky():
    n[0]+=1
    if n[0]<3: raise ValueError("no")
    return "ok"
assert retry(flaky,5)=="ok" and n==[3]""",
    r"""import pytest
def bad(): raise ValueError
with pytest.raises(RuntimeError, match="gave up"):
    retry(bad,2)""",
    r"""def bad(): raise KeyError("k")
try:
    apply(bad)
except KeyError as e:
    assert e.args==("k",)""",
    r"""assert Matrix([[1,2]]) @ Matrix([[3],[4]]) == Matrix([[11]])
assert (Matrix([[1]])@Matrix([[2]])).rows==[[2]]""",
    r"""assert Matrix([[1]]) == [[1]]""",
    r"""from solution import *
assert fib(5)==5""",
    r"""import solution
assert solution.fib(5)==5 and solution.Sq(1).a==1
solution.fib = lambda n: 9
assert solution.fib(1)==9""",
    r"""import threading
s=Inv()
ts=[threading.Thread(target=s.add,args=("k",1)) for _ in range(8)]
[t.start() for t in ts]
[t.join() for t in ts]
assert s.items["k"]==8""",
    r"""from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as e:
    assert list(e.map(fib, range(5)))==[0,1,1,2,3]""",
    r"""import copy
v=V(1,2)
w=copy.deepcopy(v)
assert w==v and w is not v
x=[[1]]
y=copy.deepcopy(x)
assert ident(x)==y""",
    r"""class Sub(Sq):
    def area(self): return -1
assert Sub(2).area()==-1""",
    r"""import asyncio
async def go(): return fib(6)
assert asyncio.run(go())==8""",
    r"""from unittest.mock import patch
with patch("time.sleep") as s:
    time.sleep(9)
    s.assert_called_once()""",
    r"""from dataclasses import asdict
assert asdict(P(1))=={"x":1,"y":2}""",
    r"""def check(candidate):
    assert candidate(10)==55
check(fib)""",
    r"""assert freq("a b a")=={"a":2,"b":1} and sorted(freq("b a"))==["a","b"]""",
    r"""import unittest
class T(unittest.TestCase):
    def test(self):
        self.assertEqual(fib(7),13)
T("test").debug()""",
    r'''assert type(Sq(1)) is Sq and type(Sq(1)).__name__=="Sq" and Sq.__name__=="Sq"''',
    r'''class Dog:
    def speak(self): return "w"
assert apply(lambda d: d.speak(), Dog())=="w"''',
    r"""assert hash(Money(3))==hash(3) and {Money(3):1}[Money(3)]==1""",
    r"""assert callable(fib) and hasattr(Sq(1),"area") and not hasattr(Sq(1),"zz")""",
    r"""x=float("nan")
assert ident(x)!=ident(x) and ident(float("inf"))>1e300""",
    r'''assert fib(20) == fib(19) + fib(18), "sum"''',
    r"""assert sorted([V(2,0),V(1,0)], key=lambda v: v.x)[0]==V(1,0)""",
    r"""a=deque([1],maxlen=2)
assert ident(a)==deque([1]) and OrderedDict(a=1)==ident(OrderedDict(a=1))""",
    r"""assert all(fib(i) >= 0 for i in range(10)) and any(c is Color.RED for c in Color)""",
    r'''assert f"{Sq(1).area():.2f}" == "1.00"
assert "%d" % fib(3) == "2"
assert str(Color.RED) == "Color.RED"''',
    r"""assert isinstance(fib(3), int) and not isinstance(fib(3), str)""",
)
