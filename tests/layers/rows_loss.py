"""Losses, called with their inputs and the targets that these imply."""

from torch import nn

from tests.layers.table import Row

ROWS = [
    Row("CrossEntropyLoss", {}, [(3, 10)], lambda: nn.CrossEntropyLoss()),
    Row("CrossEntropyLoss", {"reduction": "none", "label_smoothing": 0.1}, [(3, 10)], lambda: nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1)),
    Row("CrossEntropyLoss", {"ignore_index": 255, "reduction": "sum"}, [(2, 21, 5, 7)], lambda: nn.CrossEntropyLoss(ignore_index=255, reduction="sum")),
    Row("CrossEntropyLoss", {"reduction": "none"}, [(2, 21, 5, 7)], lambda: nn.CrossEntropyLoss(reduction="none")),
    Row("CrossEntropyLoss", {}, [(6,)], lambda: nn.CrossEntropyLoss()),
    Row("NLLLoss", {}, [(3, 10)], lambda: nn.NLLLoss()),
    Row("NLLLoss", {"reduction": "none", "ignore_index": 0}, [(3, 10, 7)], lambda: nn.NLLLoss(reduction="none", ignore_index=0)),
    Row("NLLLoss", {"reduction": "sum"}, [(5,)], lambda: nn.NLLLoss(reduction="sum")),
    Row("MSELoss", {}, [(2, 3, 5)], lambda: nn.MSELoss()),
    Row("MSELoss", {"reduction": "none"}, [(2, 3, 5)], lambda: nn.MSELoss(reduction="none")),
    Row("L1Loss", {}, [(2, 3)], lambda: nn.L1Loss()),
    Row("L1Loss", {"reduction": "sum"}, [(2, 3, 5, 7)], lambda: nn.L1Loss(reduction="sum")),
    Row("SmoothL1Loss", {}, [(2, 3)], lambda: nn.SmoothL1Loss()),
    Row("SmoothL1Loss", {"beta": 0.5, "reduction": "none"}, [(2, 3)], lambda: nn.SmoothL1Loss(beta=0.5, reduction="none")),
    Row("HuberLoss", {}, [(2, 3)], lambda: nn.HuberLoss()),
    Row("HuberLoss", {"delta": 2, "reduction": "none"}, [(2, 3, 5)], lambda: nn.HuberLoss(delta=2, reduction="none")),
    Row("BCELoss", {}, [(2, 3)], lambda: nn.BCELoss()),
    Row("BCELoss", {"reduction": "none"}, [(2, 3, 5)], lambda: nn.BCELoss(reduction="none")),
    Row("BCEWithLogitsLoss", {}, [(2, 3)], lambda: nn.BCEWithLogitsLoss()),
    Row("BCEWithLogitsLoss", {"reduction": "sum"}, [(2, 3, 5)], lambda: nn.BCEWithLogitsLoss(reduction="sum")),
    Row("KLDivLoss", {"reduction": "batchmean"}, [(2, 3)], lambda: nn.KLDivLoss(reduction="batchmean")),
    Row("KLDivLoss", {"log_target": True, "reduction": "none"}, [(2, 3, 5)], lambda: nn.KLDivLoss(reduction="none", log_target=True)),
    Row("PoissonNLLLoss", {}, [(2, 3)], lambda: nn.PoissonNLLLoss()),
    Row("PoissonNLLLoss", {"log_input": False, "full": True, "eps": 1e-4, "reduction": "none"}, [(2, 3)], lambda: nn.PoissonNLLLoss(False, True, eps=1e-4, reduction="none")),
    Row("CosineEmbeddingLoss", {}, [(3, 8), (3, 8)], lambda: nn.CosineEmbeddingLoss()),
    Row("CosineEmbeddingLoss", {"margin": 0.2, "reduction": "none"}, [(3, 8), (3, 8)], lambda: nn.CosineEmbeddingLoss(0.2, reduction="none")),
    Row("CosineEmbeddingLoss", {}, [(8,), (8,)], lambda: nn.CosineEmbeddingLoss()),
    Row("TripletMarginLoss", {}, [(3, 8), (3, 8), (3, 8)], lambda: nn.TripletMarginLoss()),
    Row("TripletMarginLoss", {"margin": 0.5, "p": 1, "swap": True, "reduction": "none"}, [(3, 8), (3, 8), (1, 8)], lambda: nn.TripletMarginLoss(0.5, 1, swap=True, reduction="none")),
    Row("TripletMarginLoss", {"eps": 1e-4, "reduction": "sum"}, [(5, 3, 8), (5, 3, 8), (5, 3, 8)], lambda: nn.TripletMarginLoss(eps=1e-4, reduction="sum")),
]  # fmt: skip
