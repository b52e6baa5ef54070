"""Products named by letters. torch's flop counter knows the matrix products in them; those with `macs` are by hand."""

import torch

from tests.layers.table import Row


def einsum(equation):
    return lambda: lambda *operands: torch.einsum(equation, *operands)


ROWS = [
    Row("Einsum", {"equation": "bhqd,bhkd->bhqk"}, [(2, 3, 7, 5), (2, 3, 11, 5)], einsum("bhqd,bhkd->bhqk")),
    Row("Einsum", {"equation": "bhqk,bhkd->bhqd"}, [(2, 3, 7, 11), (2, 3, 11, 5)], einsum("bhqk,bhkd->bhqd"), macs=2 * 3 * 7 * 11 * 5),
    Row("Einsum", {"equation": "ij,jk->ik"}, [(3, 7), (7, 5)], einsum("ij,jk->ik")),
    Row("Einsum", {"equation": "ij,jk->"}, [(3, 7), (7, 5)], einsum("ij,jk->"), macs=7),
    Row("Einsum", {"equation": "ij,jk->k"}, [(3, 7), (7, 5)], einsum("ij,jk->k"), macs=7 * 5),
    Row("Einsum", {"equation": "ij,kj->ki"}, [(3, 7), (5, 7)], einsum("ij,kj->ki")),
    Row("Einsum", {"equation": "i,i->"}, [(7,), (7,)], einsum("i,i->"), macs=7),
    Row("Einsum", {"equation": "i,j->ij"}, [(7,), (5,)], einsum("i,j->ij"), macs=0),
    Row("Einsum", {"equation": "nchw,nc->nchw"}, [(2, 3, 5, 7), (2, 3)], einsum("nchw,nc->nchw"), macs=0),
    Row("Einsum", {"equation": "nctv, vw -> nctw"}, [(2, 3, 5, 7), (7, 11)], einsum("nctv,vw->nctw")),
    Row("Einsum", {"equation": "nctv,ncvw->nctw"}, [(2, 3, 5, 7), (2, 3, 7, 11)], einsum("nctv,ncvw->nctw"), macs=2 * 3 * 5 * 7 * 11),
    Row("Einsum", {"equation": "bij->bji"}, [(2, 3, 5)], einsum("bij->bji")),
    Row("Einsum", {"equation": "bij->j"}, [(2, 3, 5)], einsum("bij->j")),
    Row("Einsum", {"equation": "aBc,Bd->acd"}, [(2, 3, 5), (3, 7)], einsum("aBc,Bd->acd"), macs=2 * 5 * 3 * 7),
    Row("Einsum", {"equation": "ab,->ab"}, [(2, 3), ()], einsum("ab,->ab"), macs=0),
]  # fmt: skip
