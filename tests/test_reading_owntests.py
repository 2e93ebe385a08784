"""Which of a model's own tests are left out of its code."""

import pytest

from core.reading.owntests import without_asserts

CODE = "def f(x):\n    assert x\n    return x\n"


@pytest.mark.parametrize(
    "below",
    [
        "\nassert f(1) == 1\n",
        "\n\n# Test cases\n# and more\nassert f(1) == 1\nassert f(\n    2\n) == 2, 'two'\n",
        "\n# First\nassert f(1) == 1\n\n# Second\nassert f(2) == 2  # two\n",
    ],
)
def test_asserts_on_the_codes_own_functions_go(below: str) -> None:
    assert without_asserts(CODE + below) == CODE


@pytest.mark.parametrize(
    "code",
    [
        CODE,
        f"import sys\nassert sys.maxsize > 1\n\n\n{CODE}",
        f"{CODE}\nif True:\n    assert f(1)\n",
        f"{CODE}\nassert f(1); y = 2\n",
        f"LIMIT = 3\nassert LIMIT\n\n\n{CODE}# end\n",
        "def f(:\n    assert f(1)\n",
        "assert f(1)\n",
        "",
    ],
)
def test_all_else_stays(code: str) -> None:
    assert without_asserts(code) == code


def test_what_stands_below_a_test_stays() -> None:
    after = "\n\ndef g(x):\n    return x\n"
    assert without_asserts(f"{CODE}\n# Try\nassert f(1) == 1\n{after}") == f"{CODE}\n{after}"
