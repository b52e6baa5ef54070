"""The end of the file: example inputs, the loss, and what running the file does."""

from __future__ import annotations

from ..arith import Formula, symbol
from ..facts import reached
from . import examples, naming
from .code import number, tidy, wrapped


def main_lines(emitter, model) -> list[str]:
    """`python model.py`: builds the model, counts, runs forward once, and with --train one training step."""
    graph = emitter.graph
    return [
        *_inputs(graph),
        "",
        "",
        *_loss(graph),
        "",
        "",
        *_main(model, graph),
        "",
        "",
        'if __name__ == "__main__":',
        "    main()",
    ]


def _inputs(graph) -> list[str]:
    small: dict[str, str] = {}
    for name in graph.free:
        small[name] = naming.variable(name, {*naming.USED, *small.values()})

    def rename(size) -> str:
        return (
            number(size.at({name: symbol(new) for name, new in small.items()}))
            if isinstance(size, Formula)
            else number(size)
        )

    chosen = examples.sizes(graph)
    parameters = ", ".join(f"{small[name]}={value}" for name, value in chosen.items())
    texts = [tidy(examples.input_source(graph, value, rename)) for value in graph.inputs.values()]
    body = f"return ({texts[0]},)" if len(texts) == 1 else f"return ({', '.join(texts)})"
    return [f"def example_inputs({parameters}):", '    """Random inputs of the right shapes."""', *wrapped(body, 4)]


def _loss(graph) -> list[str]:
    what = "The loss against random targets." if graph.loss else "The mean of what comes out: the spec has no loss."
    lines = [line for text in examples.loss_source(graph) for line in wrapped(text, 4)]
    return ["def loss_of(output):", f'    """{what}"""', *lines]


_MAIN = """\
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true", help="run one training step")
    arguments = parser.parse_args()
    model = {name}()
    print(f"{{sum(p.numel() for p in model.parameters()):,}} parameters")
    if arguments.train:
{step}
    with torch.no_grad():
        output = model.eval()(*example_inputs())
{shown}
"""

_STEP = """\
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        loss = loss_of(model(*example_inputs()))
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item():.4f}")
        return"""
_NO_STEP = '        parser.error("there is no parameter here that a loss could train")'


def _main(model, graph) -> list[str]:
    if len(graph.outputs) == 1 and not (graph.spec.outputs and graph.spec.outputs[0][0]):
        shown = '    print(f"output {list(output.shape)}")'
    elif graph.spec.outputs and any(name for name, _ in graph.spec.outputs):
        shown = '    for name, tensor in output.items():\n        print(f"{name} {list(tensor.shape)}")'
    else:
        shown = '    for number, tensor in enumerate(output):\n        print(f"output {number} {list(tensor.shape)}")'
    step = _STEP if reached(graph) != 0 else _NO_STEP
    return _MAIN.format(name=model.name, step=step, shown=shown).rstrip("\n").split("\n")
