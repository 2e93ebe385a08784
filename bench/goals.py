"""Ten everyday goals, each with cases that a run never sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal as a user would type it, and hidden cases: Python statements that must not raise."""

    name: str
    text: str
    hidden: tuple[str, ...]


GOALS: tuple[Goal, ...] = (
    Goal(
        name="fizzbuzz",
        text="Write a function fizzbuzz(n) that returns a list of strings for 1 to n: 'Fizz' for "
        "multiples of 3, 'Buzz' for multiples of 5, 'FizzBuzz' for both, else the number itself "
        "as a string. For example fizzbuzz(3) == ['1', '2', 'Fizz'] and "
        "fizzbuzz(15)[-1] == 'FizzBuzz'",
        hidden=(
            "assert fizzbuzz(1) == ['1']",
            "assert fizzbuzz(5) == ['1', '2', 'Fizz', '4', 'Buzz']",
            "assert fizzbuzz(30)[29] == 'FizzBuzz'",
            "assert len(fizzbuzz(100)) == 100 and fizzbuzz(100)[97] == '98'",
            "assert fizzbuzz(0) == []",
        ),
    ),
    Goal(
        name="slugify",
        text="slugify(text): turn a title into a URL slug: lower case, words joined by single "
        "hyphens, everything that is not a letter or digit removed or treated as a separator, no "
        'hyphen at the ends. slugify("Hello, World!") == "hello-world", '
        'slugify(" a  b ") == "a-b"',
        hidden=(
            "assert slugify('What? No way!') == 'what-no-way'",
            "assert slugify('  A  B  ') == 'a-b'",
            "assert slugify('Python 3.10 rocks') in ('python-3-10-rocks', 'python-310-rocks')",
            "assert slugify('already-a-slug') == 'already-a-slug'",
            "assert slugify('') == ''",
            "assert slugify('---') == ''",
        ),
    ),
    Goal(
        name="roman",
        text="A function to_roman(number) that converts an integer from 1 to 3999 into a Roman "
        "numeral. to_roman(1994) returns 'MCMXCIV', to_roman(4) returns 'IV'",
        hidden=(
            "assert to_roman(1) == 'I'",
            "assert to_roman(14) == 'XIV'",
            "assert to_roman(9) == 'IX'",
            "assert to_roman(58) == 'LVIII'",
            "assert to_roman(2024) == 'MMXXIV'",
            "assert to_roman(3999) == 'MMMCMXCIX'",
        ),
    ),
    Goal(
        name="duration",
        text='Write parse_duration(text), which turns a duration like "1h30m" into seconds as an '
        "int. Units are h, m and s, each optional but always in that order. "
        'parse_duration("1h30m") == 5400 and parse_duration("45s") == 45',
        hidden=(
            "assert parse_duration('3h20m') == 12000",
            "assert parse_duration('2h') == 7200",
            "assert parse_duration('10m') == 600",
            "assert parse_duration('1h1m1s') == 3661",
            "assert parse_duration('90s') == 90",
            "assert parse_duration('12h5s') == 43205",
        ),
    ),
    Goal(
        name="intervals",
        text="merge_intervals(intervals) takes a list of [start, end] lists in any order and "
        "returns them sorted by start with overlapping or touching ones merged. "
        "merge_intervals([[1, 3], [2, 6], [8, 10]]) == [[1, 6], [8, 10]], "
        "merge_intervals([]) == []",
        hidden=(
            "assert [list(i) for i in merge_intervals([[1, 4], [4, 5]])] == [[1, 5]]",
            "assert [list(i) for i in merge_intervals([[5, 6], [1, 2]])] == [[1, 2], [5, 6]]",
            "assert [list(i) for i in merge_intervals([[1, 10], [2, 3]])] == [[1, 10]]",
            "assert [list(i) for i in merge_intervals([[1, 2], [2, 3], [3, 4]])] == [[1, 4]]",
            "assert [list(i) for i in merge_intervals([[0, 0]])] == [[0, 0]]",
        ),
    ),
    Goal(
        name="word_count",
        text="Count words: word_count(text) returns a dict from each word to how often it occurs. "
        "Words are compared without case, and punctuation around them does not count. "
        'word_count("The cat. The dog!") == {"the": 2, "cat": 1, "dog": 1}, word_count("") == {}',
        hidden=(
            "assert dict(word_count('a b a')) == {'a': 2, 'b': 1}",
            "assert dict(word_count('Hi, hi! HI?')) == {'hi': 3}",
            "assert dict(word_count('?!')) == {}",
            "assert dict(word_count('one\\ntwo\\tone')) == {'one': 2, 'two': 1}",
        ),
    ),
    Goal(
        name="isbn",
        text="is_valid_isbn(isbn) checks an ISBN-10 or ISBN-13 given as a string that may contain "
        "hyphens or spaces, by its check digit, and returns True or False. An ISBN-10 may end in "
        'X, which stands for 10. is_valid_isbn("0-306-40615-2") is True, '
        'is_valid_isbn("978-0-306-40615-7") is True, is_valid_isbn("0-306-40615-3") is False',
        hidden=(
            "assert is_valid_isbn('0306406152') is True",
            "assert is_valid_isbn('9780306406157') is True",
            "assert is_valid_isbn('978-3-16-148410-0') is True",
            "assert is_valid_isbn('978-3-16-148410-1') is False",
            "assert is_valid_isbn('0-8044-2957-X') is True",
            "assert is_valid_isbn('12345') is False",
            "assert is_valid_isbn('') is False",
        ),
    ),
    Goal(
        name="transpose",
        text="transpose(matrix): swap the rows and columns of a matrix given as a list of lists. "
        "transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]. An empty matrix gives [].",
        hidden=(
            "assert [list(r) for r in transpose([[1]])] == [[1]]",
            "assert [list(r) for r in transpose([[1, 2], [3, 4]])] == [[1, 3], [2, 4]]",
            "assert [list(r) for r in transpose([[1, 2, 3]])] == [[1], [2], [3]]",
            "assert list(transpose([])) == []",
        ),
    ),
    Goal(
        name="flatten",
        text="flatten(items) returns one flat list of everything in a list that is nested to any "
        "depth, in order. Strings are not taken apart. "
        "flatten([1, [2, [3, [4]]]]) == [1, 2, 3, 4], "
        "flatten(['ab', []]) == ['ab']",
        hidden=(
            "assert list(flatten([])) == []",
            "assert list(flatten([[], [[]]])) == []",
            "assert list(flatten(['ab', ['cd']])) == ['ab', 'cd']",
            "assert list(flatten([[[[[1]]]], 2, [3]])) == [1, 2, 3]",
            "assert list(flatten([None, [0, [False]]])) == [None, 0, False]",
        ),
    ),
    Goal(
        name="bank_account",
        text="A class BankAccount with deposit(amount), withdraw(amount) and an attribute balance "
        "that starts at 0. Amounts must be positive and a withdrawal must not exceed the balance; "
        "otherwise raise ValueError and leave the balance alone.",
        hidden=(
            "a = BankAccount()\nassert a.balance == 0",
            "a = BankAccount()\na.deposit(50)\na.withdraw(20)\nassert a.balance == 30",
            "a = BankAccount()\na.deposit(10)\ntry:\n    a.withdraw(11)\nexcept ValueError:\n"
            "    pass\nelse:\n    raise AssertionError('overdrawn')\nassert a.balance == 10",
            "a = BankAccount()\ntry:\n    a.deposit(-5)\nexcept ValueError:\n    pass\nelse:\n"
            "    raise AssertionError('negative deposit')\nassert a.balance == 0",
            "a, b = BankAccount(), BankAccount()\na.deposit(1)\nassert b.balance == 0",
        ),
    ),
)
