"""The web never loads a model: importing it leaves torch out of the process."""

import subprocess
import sys


def test_import_leaves_torch_out() -> None:
    code = (
        "import sys, web; "
        "print(*{'torch', 'diffusers', 'transformers', 'workers', 'model'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
