"""The end of a process that has served."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import threading, time
from fraiseql.runtimes.running import leave_functions_behind

threading.Thread(target=time.sleep, args=(0.05,)).start()
leave_functions_behind()
print("still here", flush=True)
threading.Thread(target=time.sleep, args=(60,)).start()
leave_functions_behind()
print("nobody reads this")
"""


def test_a_function_that_does_not_come_back_does_not_keep_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"still here\n")
