"""A configuration whose jobs take next to no time."""

CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "lin": {
            "model": "linear",
            "d_in": 20,
            "lambda": [0.5, 2.0],
            "realizations": 3,
            "n_gen": 20,
            "t_max": 100,
            "records": 10,
        }
    },
    "figures": {
        "A1": {
            "dynamics": "lin",
            "times": "lin",
            "epsilon": [0.001],
            "lambda": {"start": 0.3, "stop": 1.2, "points": 2},
        }
    },
}
