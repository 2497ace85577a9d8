"""Protocols, right ones and wrong ones, that our reading and the real package are given alike."""

from typing import Final

_HEAD = """
metadata = {"task": "mix"}
requirements = {"robotType": "OT-2", "apiLevel": "2.18"}
"""
_RUN = """
def run(protocol):
    pass
"""


def adding(call: str, head: str = _HEAD) -> str:
    """A protocol with one call in ``add_parameters``, on line 7."""
    return f"{head}\n\ndef add_parameters(parameters):\n    parameters.{call}\n{_RUN}"


# Every kind of parameter, by name and by place.
RIGHT: Final = (
    _HEAD
    + """
def add_parameters(parameters):
    parameters.add_int("Cycles", "cycles", 3, 1, 9, None, "How often.", "times")
    parameters.add_float(display_name="Depth", variable_name="depth", default=1, minimum=0, maximum=2.5)
    parameters.add_int("Rows", "rows", 8, choices=[{"display_name": "All", "value": 8},
                                                   {"display_name": "Half", "value": 4}])
    parameters.add_float("Speed", "speed", 2, choices=[{"display_name": "Slow", "value": 1},
                                                       {"display_name": "Fast", "value": 2.0}], unit="mm/s")
    parameters.add_str("Well", "well", "A1", [{"display_name": "First", "value": "A1"}], "Where.")
    parameters.add_bool("Dry", "dry", False, "Without liquid.")
"""
    + _RUN
)

# By what is wrong: the source, and what our error tells, with the line where it is known.
WRONG: Final = {
    "syntax": (f"{_HEAD}def run(protocol)\n    pass\n", "line 4: expected ':'"),
    "null byte": (f"{_HEAD}\0{_RUN}", "null bytes"),
    "no run": (_HEAD, "there is no function run(protocol)"),
    "two runs": (_HEAD + _RUN + _RUN, "line 8: run is defined twice"),
    "a run without an argument": (_HEAD + "def run():\n    pass\n", "line 4: run takes one argument"),
    "a run with two arguments": (_HEAD + "def run(a, b):\n    pass\n", "line 4: run takes one argument"),
    "no apiLevel": ('metadata = {"task": "mix"}\n' + _RUN, "line 1: apiLevel is missing"),
    "two apiLevels": (
        _HEAD.replace('"mix"', '"mix", "apiLevel": "2.18"') + _RUN,
        "line 3: apiLevel stands in metadata and in requirements",
    ),
    "apiLevel is no level": (
        _HEAD.replace("2.18", "two") + _RUN,
        "line 3: apiLevel 'two' is not two numbers",
    ),
    "another robot": (_HEAD.replace("OT-2", "OT-9") + _RUN, "line 3: robotType is 'OT-9'"),
    "unknown requirement": (
        _HEAD.replace('"robotType": "OT-2"', '"robot": "OT-2"') + _RUN,
        "line 3: requirements takes apiLevel and robotType, not 'robot'",
    ),
    "computed metadata": (
        _HEAD.replace('"mix"', '"mix".lower()') + _RUN,
        "line 2: metadata has to be written out",
    ),
    "a number in the metadata": (
        _HEAD.replace('"mix"', '"mix", "version": 3') + _RUN,
        "line 2: metadata: 3 is not a text",
    ),
    "an error outside its functions": (
        _HEAD + "1 / 0\n" + _RUN,
        "line 4: ZeroDivisionError: division by zero",
    ),
    "a module that is not there": (
        _HEAD + "import no_such_module\n" + _RUN,
        "line 4: No module named 'no_such",
    ),
    "an unknown method": (adding("add_number('A', 'a', 1)"), "line 7: AttributeError"),
    "an unknown argument": (
        adding("add_int('A', 'a', 1, min=0, max=2)"),
        "line 7: TypeError: ParameterContext.add_int() got an unexpected keyword argument 'min'",
    ),
    "a missing argument": (adding("add_int('A', 'a')"), "line 7: TypeError"),
    "a name that is none": (
        adding("add_int('A', '1a', 1, 0, 2)"),
        "line 7: variable_name '1a' is no name of a Python variable",
    ),
    "a name that is a word of Python": (adding("add_int('A', 'class', 1, 0, 2)"), "variable_name 'class' is"),
    "a name twice": (
        adding("add_int('A', 'a', 1, 0, 2)\n    parameters.add_bool('B', 'a', True)"),
        "line 8: a is added twice",
    ),
    "a long display name": (adding("add_int('A' * 31, 'a', 1, 0, 2)"), "a text of at most 30 characters"),
    "a long description": (
        adding("add_int('A', 'a', 1, 0, 2, description='A' * 101)"),
        "a text of at most 100 characters",
    ),
    "a long unit": (adding("add_int('A', 'a', 1, 0, 2, unit='A' * 11)"), "a text of at most 10 characters"),
    "a display name that is none": (adding("add_bool(1, 'a', True)"), "display_name 1 is not a text"),
    "no limits": (adding("add_int('A', 'a', 1)"), "line 7: a needs minimum and maximum, or choices"),
    "one limit": (adding("add_float('A', 'a', 1.0, minimum=0.0)"), "a needs minimum and maximum, or choices"),
    "limits and choices": (
        adding("add_int('A', 'a', 1, 0, 2, [{'display_name': '1', 'value': 1}])"),
        "a has choices and limits",
    ),
    "limits the wrong way round": (
        adding("add_int('A', 'a', 1, minimum=2, maximum=0)"),
        "a: minimum 2 is more than maximum 0",
    ),
    "default out of range": (
        adding("add_float('A', 'a', 3, 0, 2)"),
        "line 7: a: default 3.0 is not within 0.0 to 2.0",
    ),
    "default not a choice": (
        adding("add_str('A', 'a', 'x', [{'display_name': 'Y', 'value': 'y'}])"),
        "a: default 'x' is not one of the choices",
    ),
    "default of another type": (
        adding("add_int('A', 'a', 1.5, 0, 2)"),
        "a: default 1.5 is not a whole number",
    ),
    "a limit of another type": (
        adding("add_int('A', 'a', 1, 0.5, 2)"),
        "a: minimum 0.5 is not a whole number",
    ),
    "a float that is true": (adding("add_float('A', 'a', True, 0, 2)"), "a: default True is not a number"),
    "a bool that is one": (adding("add_bool('A', 'a', 1)"), "a: default 1 is not True or False"),
    "free text": (adding("add_str('A', 'a', 'x')"), "a has no choices: the robot takes no free text"),
    "a choice without a name": (
        adding("add_str('A', 'a', 'x', [{'value': 'x'}])"),
        "a: each of the choices is a dict with display_name and value",
    ),
    "a choice of another type": (
        adding("add_str('A', 'a', 'x', [{'display_name': 'X', 'value': 1}])"),
        "a: a choice 1 is not a text",
    ),
    "an error in add_parameters": (
        _HEAD + "def add_parameters(parameters):\n    broken()\n\ndef broken():\n    {}['x']\n" + _RUN,
        "line 8: KeyError: 'x'",
    ),
}

# What the real package takes or overlooks, and we do not.
STRICTER: Final = {
    "a file": (
        adding("add_csv_file('A', 'a')", _HEAD.replace("2.18", "2.20")),
        "line 7: a is a CSV file: a task takes numbers, texts and True or False",
    ),
    "parameters before there were any": (
        adding("add_int('A', 'a', 1, 0, 2)", _HEAD.replace("2.18", "2.16")),
        "line 6: add_parameters needs apiLevel 2.18 or newer",
    ),
    "a whole number that is true": (
        adding("add_int('A', 'a', True, 0, 2)"),
        "default True is not a whole number",
    ),
    "a number without end": (
        adding("add_float('A', 'a', 1, 0, float('inf'))"),
        "line 7: a: maximum inf is not a number",
    ),
    "a Flex": (_HEAD.replace("OT-2", "Flex") + _RUN, "line 3: robotType is 'Flex'"),
    "it ends Python softly": (_HEAD + "raise SystemExit\n" + _RUN, "line 4: SystemExit"),
    "it ends Python": (
        _HEAD + "import os\nos._exit(3)\n" + _RUN,
        "mix.py: reading its parameters did not end",
    ),
}
