"""Jobs that compute on a GPU take turns on the cards of this machine, beside jobs that do not."""

import re

import snakemake_server
import yaml
from copies import copy_workflow, environment

from linear_grokking.workflow.plan import Plan, read

SMALL = {"t_max": 100.0, "records": 10, "realizations": 2}
CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "spectral": {"model": "linear", "d_in": 20, "lambda": [0.5, 2.0], "n_gen": 50, **SMALL},
        "flow": {"model": "logistic", "n_train": 20, "d": 6, **SMALL},
        "sets": {"measure": "separability", "n_train": 20, "d": [6, 14], "realizations": 4},
    },
    "figures": {},
}
ONE_CARD = """

def visible_gpus() -> int:
    return 1
"""


def snakemake(root, *arguments):
    code, said = snakemake_server.run(["-c16", *arguments], root, environment(root))
    assert code == 0, said
    return said


def running(said):
    """Yield the training jobs, by their number with run, that run at the same time."""
    together = {}
    event = r"^    output: results/\w+/(\w{16})/.*\n(?:    .*\n)*?    jobid: (\d+)$"
    event += r"|^Finished jobid: (\d+)"
    for run_id, started, finished in re.findall(event, said, re.MULTILINE):
        if started:
            together[started] = run_id
        else:
            together.pop(finished, None)
        yield dict(together)


def test_jobs_take_turns_on_a_card_beside_others(tmp_path):
    copy_workflow(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    assert not re.search(r"gpu\w*=", snakemake(tmp_path, "-n"))
    # A machine with one card, which torch knows nothing of: what would compute there does so here.
    with open(tmp_path / "src/linear_grokking/runtime/devices.py", "a") as file:
        file.write(ONE_CARD)
    said = snakemake(tmp_path, "--until", "train_block", "measure_separability")

    runs = Plan(read(CONFIGURATION)).runs
    held = [[runs[each].kind.on_gpu for each in now.values()] for now in running(said)]
    assert sum(now.count(True) for now in held) > 0
    assert max(now.count(True) for now in held) == 1
    assert max(map(len, held)) == 3  # with the two that hold none
