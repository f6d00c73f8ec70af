"""Files of computation graphs: gold scratchpads, and answers of networks to constituents. Path, sha256, size in bytes."""

FAITH_AND_FATE_FILES: tuple[tuple[str, str, int], ...] = (
    ("data/dp.zip", "f795abe05c811e1a747fd0aaf4c82718008ea82cd86ca1384d447e0e0dfc1410", 1473884),
    ("data/multiplication.zip", "858c43caceb14218c489b3b491a6d8dbe9ea1763e09e192c907104e4e528806f", 2653228),
)
# Answers of sequence-to-sequence LSTMs given their own answers to the constituents of PCFG SET inputs.
PCFG_LOCALISM_FILES: tuple[tuple[str, str, int], ...] = (
    (
        "model_predictions/lstms2s/localism/run=1.txt",
        "d5bcde819d090bec10737c9a19c03dad3278bc3cee169caa7ce1a9da80b2d405",
        4143996,
    ),
    (
        "model_predictions/lstms2s/localism/run=2.txt",
        "388a8de5c363b4a3f6cf1143d829eb065b61177f787e75ae0e2d5c3bb55a60bd",
        4139179,
    ),
    (
        "model_predictions/lstms2s/localism/run=3.txt",
        "708c2bc5757966667c42dfd694c4dbfa180b396b4d0d15bf4296ddf5a09f9c64",
        4149928,
    ),
)
