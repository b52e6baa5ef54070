"""torch.einsum of one or two operands: permuted views, sums, then a bmm or a product."""

from __future__ import annotations

from ...arith import prod
from ..tensors import Tensor


class Einsum:
    def einsum(self, operands: list[Tensor], terms: list[str], output: str) -> Tensor:
        """terms: the letters of each operand. output: those of the result."""
        left = [self._summed(x, term, output, terms) for x, term in zip(operands, terms, strict=True)]
        if len(left) == 1:
            return self._ordered(*left[0], output)
        (a, a_term), (b, b_term) = left
        common = [letter for letter in a_term if letter in b_term and letter not in output]
        if common:
            return self._product(a, a_term, b, b_term, output)
        return self.mul(self._spread(a, a_term, output), self._spread(b, b_term, output))

    def _summed(self, x: Tensor, term: str, output: str, terms: list[str]) -> tuple[Tensor, str]:
        """An operand without the letters that nothing else has."""
        others = list(terms)
        others.remove(term)
        alone = [k for k, letter in enumerate(term) if letter not in output and not any(letter in t for t in others)]
        if not alone:
            return x, term
        kept = "".join(letter for k, letter in enumerate(term) if k not in alone)
        return self.mean(x, alone, False, scale=False), kept

    def _ordered(self, x: Tensor, term: str, output: str) -> Tensor:
        dims = tuple(term.index(letter) for letter in output)
        return x if dims == tuple(range(len(dims))) else self.permute(x, dims)

    def _spread(self, x: Tensor, term: str, output: str) -> Tensor:
        """In the order of the output, with dimensions of size 1 for the letters that are missing."""
        x = self._ordered(x, term, "".join(letter for letter in output if letter in term))
        for k, letter in enumerate(output):
            if letter not in term:
                x = self.unsqueeze(x, k)
        return x

    def _product(self, a: Tensor, a_term: str, b: Tensor, b_term: str, output: str) -> Tensor:
        """sumproduct_pair: [both, left, summed] times [both, summed, right] as matrices."""
        size = {**dict(zip(a_term, a.shape, strict=True)), **dict(zip(b_term, b.shape, strict=True))}
        both = [letter for letter in output if letter in a_term and letter in b_term]
        left = [letter for letter in output if letter in a_term and letter not in b_term]
        right = [letter for letter in output if letter in b_term and letter not in a_term]
        summed = [letter for letter in a_term if letter not in output]
        count = lambda letters: prod(size[letter] for letter in letters)  # noqa: E731
        x = self._ordered(a, a_term, "".join(both + left + summed))
        y = self._ordered(b, b_term, "".join(both + summed + right))
        x = self.reshape(x, (count(both), count(left), count(summed)))
        y = self.reshape(y, (count(both), count(summed), count(right)))
        made = self.view(self.bmm(x, y), [size[letter] for letter in both + left + right])
        return self._ordered(made, "".join(both + left + right), output)


__all__ = ["Einsum"]
